SELECT `a`, "s\"t" FROM t # c
WHERE a := @x /*! y */
"""What is killed: exports x sources x states x rights."""
import dataclasses

ROWS = 12000


@dataclasses.dataclass
class Workload:
    name: str
    exports: list
    source: str = "sqlite"
    state: str = "sqlite"
    kept: bool = False  # what was published may be neither deleted nor replaced
    store: str = ""  # s3, gcs, azure; else the local directory
    top: dict = dataclasses.field(default_factory=dict)
    args: tuple = ()
    repair: bool = False  # `repair --execute` of a damaged part is killed, not the run
    plan: bool = False  # `apply` of a plan is killed
    points: bool = True  # named points make sense: one process
    often: bool = True  # also in the short run

    def where(self):
        return f"{self.source} -> {self.store or self.state}{', kept' if self.kept else ''}"


FULL = {"name": "x", "table": "t"}
KEYED_FULL = {**FULL, "chunk_checkpoint": True, "chunk_size": 2500}
TIES = {**FULL, "mode": "incremental", "cursor_column": "grp", "skip_empty": True}
CHUNKS = {**FULL, "mode": "chunked", "chunk_column": "id", "chunk_size": 1500}
FOUR = {**CHUNKS, "chunk_checkpoint": True, "parallel": 4}
KEYSET = {**FULL, "mode": "chunked", "chunk_by_key": "id", "chunk_size": 1500, "chunk_checkpoint": True, "parallel": 2}
BUCKETS = {**FULL, "partition_by": "day", "partition_granularity": "month",
           "destination": {"type": "local", "path": "./out/{partition}"}}
IN_PARTS = {**FOUR, "parallel": 2, "chunk_size": 6000, "destination": {"upload_threshold_mb": 0, "upload_part_mb": 5}}
GATES = {**FOUR, "parallel": 2, "quality": {"row_count_min": 1000, "unique_columns": ["id"], "null_ratio_max": {"note": 0.5}}}
MANY = [FULL, {**FOUR, "name": "c"}, {**KEYSET, "name": "k"}, {**TIES, "name": "i"}]
RARE = {"often": False}
COMMANDS = [{**FULL, "mode": "incremental", "cursor_column": "id"}, {**FOUR, "name": "c"}]

WORKLOADS = [
    Workload("full", [FULL]),
    Workload("full with checkpoint", [KEYED_FULL]),
    Workload("incremental with ties", [TIES]),
    Workload("chunked, 4 workers, checkpoint", [FOUR]),
    Workload("chunked, 2 workers, no checkpoint", [{**CHUNKS, "chunk_size": 4000, "parallel": 2}]),
    Workload("keyset, 2 ranges", [KEYSET]),
    Workload("split files, validated", [{**FULL, "max_file_size": "64KB"}], args=("--validate",)),
    Workload("partitioned", [BUCKETS]),
    Workload("partitioned, chunked inside", [{**BUCKETS, **FOUR, "parallel": 2}]),
    Workload("quality gates", [GATES]),
    Workload("repair --execute", [FOUR], repair=True),
    Workload("plan and apply", [FOUR], plan=True),
    Workload("many exports by processes", MANY, top={"parallel_export_processes": True}, points=False),
    Workload("full", [FULL], kept=True),
    Workload("chunked, 4 workers, checkpoint", [FOUR], kept=True),
    Workload("keyset, 2 ranges", [KEYSET], kept=True),
    Workload("chunked, 4 workers, checkpoint", [FOUR], state="postgres"),
    Workload("incremental with ties", [TIES], state="postgres"),
    Workload("full", [FULL], source="postgres"),
    Workload("chunked, 4 workers, checkpoint", [FOUR], source="postgres"),
    Workload("keyset, 2 ranges", [KEYSET], source="postgres"),
    Workload("incremental with ties", [TIES], source="postgres"),
    Workload("partitioned", [BUCKETS], source="postgres"),
    Workload("quality gates", [GATES], source="postgres", state="postgres"),
    Workload("repair --execute", [FOUR], source="postgres", state="postgres", repair=True),
    Workload("many exports by processes", MANY, source="postgres", state="postgres",
             top={"parallel_export_processes": True}, points=False),
    Workload("full", [FULL], source="mysql"),
    Workload("full with checkpoint", [KEYED_FULL], source="mariadb"),
    Workload("chunked, 4 workers, checkpoint", [FOUR], source="mysql"),
    Workload("keyset, 2 ranges", [KEYSET], source="mariadb"),
    Workload("incremental with ties", [TIES], source="mysql", state="postgres"),
    Workload("incremental with ties", [TIES], source="mariadb", kept=True),
    Workload("partitioned", [BUCKETS], source="mysql"),
    Workload("quality gates", [GATES], source="mariadb", state="postgres"),
    Workload("repair --execute", [FOUR], source="mysql", repair=True),
    Workload("many exports by processes", MANY, source="mariadb", top={"parallel_export_processes": True}, points=False),
    *[Workload(name, exports, store=store, **more) for store in ("s3", "gcs", "azure") for name, exports, more in (
        ("chunked, 2 workers, objects in parts", [IN_PARTS], {}),
        ("chunked, 4 workers, checkpoint", [FOUR], {"often": store == "s3"}),
        ("full", [FULL], RARE),
        ("keyset, 2 ranges", [KEYSET], RARE),
        ("partitioned", [{**BUCKETS, "destination": {"prefix": "{partition}"}}], RARE),
        ("split files, validated", [{**FULL, "max_file_size": "64KB"}], {"args": ("--validate",), **RARE}),
        ("chunked, 4 workers, checkpoint", [FOUR], {"kept": True, **RARE}),
        ("repair --execute", [FOUR], {"repair": True, "points": False, **RARE}),
        ("many exports by processes", MANY, {"top": {"parallel_export_processes": True}, "points": False, **RARE}))],
]

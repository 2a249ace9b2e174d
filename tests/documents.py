"""Documents for tests: runs as they come from real machines, good and bad, small and very large."""

from __future__ import annotations

import math
import random
from dataclasses import replace

from gnnbench.record import (
    Device,
    Environment,
    Fact,
    Finding,
    Invocation,
    Margin,
    Measurement,
    Outcome,
    Result,
    Run,
    RunState,
)

BACKENDS = ("dense", "coo", "csr", "csc", "gather-scatter", "pyg-edge-index", "pyg-sparse", "pyg-edgeindex")
COMPILED = ("compiled-csr", "compiled-gather-scatter")
GRAPHS = ("path", "star", "hub", "duplicates", "self-loops", "isolated", "directed", "bipartite", "power-law")
QUANTITIES = ("forward", "dX", "dW", "db")
GPUS = ("cuda:0", "cuda:1")
LOG = """\
suites/equivalence/test_exact.py:61: in test_forward
    judge(compare(layer(x, weight, bias), oracle.out, bound=0))
E   gnnbench.checks.outcomes.CheckFailed: 3 of 24,000 entries differ from the float64 oracle
E     expected:     -12.0 at node 17, channel 3
E     found:        -13.0
------------------------------ Captured stdout call ------------------------------
graph hub: 3,000 nodes, 14,212 edges, largest in-degree 1024
"""


def environment(*, gpu: bool = True) -> Environment:
    """A machine with two H100, or a laptop without any."""
    facts = {
        "hardware.cpu": Fact(
            value="AMD EPYC 9554 64-Core Processor", title="CPU", group="hardware", comparable=True
        ),
        "hardware.cpu_count": Fact(value=16, title="logical CPUs", group="hardware", comparable=True),
        "hardware.memory": Fact(value=137438953472, title="memory", group="hardware", unit="B"),
        "cuda.driver": Fact(
            value="580.82.07" if gpu else None, title="NVIDIA driver", group="cuda", comparable=True
        ),
        "cuda.runtime": Fact(
            value="12.8" if gpu else None, title="CUDA runtime", group="cuda", comparable=True
        ),
        "cuda.cudnn": Fact(value="9.10.2" if gpu else None, title="cuDNN", group="cuda", comparable=True),
        "cuda.nccl": Fact(
            value=None,
            title="NCCL",
            group="cuda",
            error="OSError: libnccl.so.2: cannot open shared object file",
        ),
        "torch.version": Fact(value="2.13.0+cu128", title="torch", group="torch", comparable=True),
        "torch.arch_list": Fact(
            value=["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"],
            title="compiled for",
            group="torch",
        ),
        "torch.tf32": Fact(value=False, title="TF32 in matrix products", group="torch", comparable=True),
        "python.version": Fact(value="3.12.3", title="Python", group="python", comparable=True),
        "python.executable": Fact(value="/opt/venv/bin/python", title="executable", group="python"),
        "libraries.mapped": Fact(
            value={
                "libcudart.so.12": "/opt/venv/lib/python3.12/site-packages/nvidia/cuda_runtime/lib/libcudart.so.12",
                "libcusparse.so.12": "/opt/venv/lib/python3.12/site-packages/nvidia/cusparse/lib/libcusparse.so.12",
            },
            title="mapped libraries",
            group="libraries",
        ),
        "limits.shm": Fact(value=67108864, title="/dev/shm", group="limits", unit="B"),
        "limits.nofile": Fact(value=1048576, title="open files", group="limits"),
        "container.runtime": Fact(value="docker", title="container", group="container"),
        "git.commit": Fact(value="4f2c9e1d0b7a", title="commit", group="git"),
    }
    devices = (
        tuple(
            Device(
                name=f"cuda:{i}",
                kind="cuda",
                model="NVIDIA H100 80GB HBM3",
                uuid=f"GPU-8f1c2d3e-4b5a-6978-8796-a5b4c3d2e1f{i}",
                memory_bytes=85520809984,
                capability="9.0",
            )
            for i in range(2)
        )
        if gpu
        else (
            Device(
                name="cpu", kind="cpu", model="AMD EPYC 9554 64-Core Processor", memory_bytes=137438953472
            ),
        )
    )
    packages = {
        "torch": "2.13.0+cu128" if gpu else "2.13.0+cpu",
        "torch-geometric": "2.8.1",
        "numpy": "2.4.6",
        "scipy": "1.17.1",
        "pytest": "9.2.0",
        **{f"package-{i}": f"{i}.{i % 7}.0" for i in range(60)},
    }
    return Environment(facts=facts, devices=devices, packages=packages)


def good_run(*, gpu: bool = True) -> Run:
    """Everything judged and right, but for what the machine lacks and nobody asked for."""
    devices = GPUS if gpu else ("cpu",)
    random.seed(20261124)
    results = [
        *_environment_results(devices),
        *_equivalence_results(devices),
        *_precision_results(devices),
        *_memory_results(devices),
        *_throughput_results(devices),
        *_distributed_results(),
    ]
    return run_of(results, gpu=gpu)


def run_of(results: list[Result], *, gpu: bool = True, **changes: object) -> Run:
    """A complete run of `results`."""
    run = Run(
        id="20261124T081502Z-3fa9c1",
        state=RunState.COMPLETE,
        started_at="2026-11-24T08:15:02Z",
        finished_at="2026-11-24T08:18:43Z",
        duration_s=221.4,
        gnnbench="0.1.0",
        invocation=Invocation(
            argv=("run", "--tier", "standard", "--data", "/data/planetoid"),
            tier="standard",
            devices=GPUS if gpu else ("cpu",),
            data="/data/planetoid",
        ),
        environment=environment(gpu=gpu),
        results=tuple(results),
        collected=len(results),
        deselected={"tier": 118, "suite": 0, "keyword": 0},
    )
    return replace(run, **changes)  # type: ignore[arg-type]


def failing_run() -> Run:
    """One wrong backend, a precision that silently fell back, a broken extension, a check that gave up."""
    run = good_run()
    results = []
    for result in run.results:
        facts = result.facts
        if facts.get("backend") == "pyg-sparse" and facts.get("graph") in ("hub", "self-loops", "isolated"):
            margins = tuple(
                replace(m, error=1.0, bound=m.bound, where="node 17, channel 3") for m in result.margins
            )
            finding = Finding(
                summary=f"{3 + len(results) % 5} of 24,000 entries differ from the float64 oracle on {facts['graph']}",
                expected="-12.0 at node 17, channel 3",
                found="-13.0",
                cause="The self-loop is missing where a node already has one: the degrees of 1,024 nodes are one too small.",
                fix='Bind with `self_loops="add"`, or use `edge_index` instead of a sparse tensor. '
                "`pip install -U torch-geometric` brings the fix.",
            )
            result = replace(result, outcome=Outcome.FAILED, finding=finding, margins=margins, log=LOG)
        elif result.id == "precision/training/autocast[bf16-cuda:1]":
            margins = (
                Margin(name="loss", error=math.nan, bound=2.4e-2, rule="precision class", where="step 1"),
            )
            finding = Finding(
                summary="the loss of step 1 is not a number",
                expected="1.9459 ± 0.024",
                found="NaN",
                cause="A degree summed in bfloat16 overflows, and its inverse square root is infinite.",
                fix="Normalise the adjacency in float32, outside of autocast.",
            )
            result = replace(result, outcome=Outcome.FAILED, finding=finding, margins=margins, log=LOG)
        elif result.id.startswith("environment/extensions/import[torch_sparse"):
            finding = Finding(
                summary="torch_sparse is installed and can't be imported",
                expected="an import without a warning",
                found="undefined symbol: _ZN3c1017RegisterOperators5checkEv",
                cause="It was built for another torch.",
                fix="pip install --force-reinstall --no-build-isolation torch-sparse",
            )
            result = replace(result, outcome=Outcome.FAILED, finding=finding, log=LOG)
        elif result.id.startswith("throughput/spmm/forward[csc"):
            finding = Finding(
                summary="another process used the GPU while the check ran",
                expected="no other process on the device",
                found="pid 4711 held 12.4 GiB",
                fix="Wait until the device is idle, then run again.",
            )
            result = replace(result, outcome=Outcome.INCONCLUSIVE, finding=finding, measurements=())
        results.append(result)
    return replace(
        run, results=tuple(results), warnings=("UserWarning: Sparse CSR tensor support is in beta state.",)
    )


def changed_run() -> Run:
    """The failing run on another image: another torch, NumPy and variable, nearer margins, more memory."""
    run = failing_run()
    before = run.environment
    changed = {
        "torch.version": "2.14.0+cu130",
        "torch.arch_list": ["sm_80", "sm_86", "sm_90", "sm_100", "sm_120"],
        "limits.nofile": 1024,
        "git.commit": "0b7a4f2c9e1d",
    }
    facts = {
        key: replace(fact, value=changed[key]) if key in changed else fact
        for key, fact in before.facts.items()
    }
    facts["limits.shm_free"] = Fact(value=1, title="Shared memory free", group="limits", unit="B")
    packages = {
        **before.packages,
        "torch": "2.14.0+cu130",
        "numpy": "1.26.4",
        "package-7": "8.0",
        "fresh": "1.0",
    }
    del packages["package-9"]
    results = []
    for result in run.results:
        margins = tuple(
            replace(m, error=m.bound * min(20 * m.ratio, 0.99)) for m in result.margins if m.passed
        )
        measurements = tuple(
            m if m.noisy else replace(m, samples=tuple(1.2 * x for x in m.samples))
            for m in result.measurements
        )
        passed = result.outcome is Outcome.PASSED and result.margins
        results.append(
            replace(result, margins=margins if passed else result.margins, measurements=measurements)
        )
    environment = replace(before, facts=facts, packages=packages)
    return replace(run, id="20261125T034112Z-4bb2d3", environment=environment, results=tuple(results))


def required_absent_run() -> Run:
    """`--require cuda` on a machine without a GPU."""
    run = good_run(gpu=False)
    results = [
        replace(
            result,
            outcome=Outcome.FAILED,
            finding=replace(
                result.finding,
                required=True,
                expected="cuda, which was required",
                found="no CUDA device: torch is a CPU build (2.13.0+cpu)",
            ),
        )
        if result.finding is not None and result.finding.needs == "cuda"
        else result
        for result in run.results
    ]
    invocation = replace(run.invocation, require=("cuda",))
    return replace(run, results=tuple(results), invocation=invocation)


def interrupted_run() -> Run:
    """Ctrl-C after a third of the checks."""
    run = good_run()
    third = len(run.results) // 3
    return replace(
        run,
        state=RunState.INTERRUPTED,
        results=run.results[:third],
        unfinished=tuple(result.id for result in run.results[third:]),
        ended_by="Ctrl-C",
        exit_code=2,
        duration_s=64.0,
    )


def crashed_run() -> Run:
    """A kernel that took the process with it."""
    run = interrupted_run()
    return replace(
        run, state=RunState.CRASHED, ended_by="SIGSEGV in equivalence/exact/forward[csc-hub]", exit_code=3
    )


def running_run() -> Run:
    """The document as a killed process leaves it."""
    return replace(interrupted_run(), state=RunState.RUNNING, ended_by="", exit_code=None, finished_at="")


def empty_run() -> Run:
    """A selection that left nothing, on a machine nobody could describe."""
    return Run(id="20261124T090000Z-000000", state=RunState.COMPLETE, started_at="2026-11-24T09:00:00Z")


def inconclusive_run() -> Run:
    """Nothing failed, and one thing that was needed could not be judged."""
    run = failing_run()
    return replace(run, results=tuple(r for r in run.results if r.outcome is not Outcome.FAILED), warnings=())


def large_run(count: int = 3000, *, failed: float = 0.0, log: str = LOG, text: str = "") -> Run:
    """`count` checks with four margins each; `failed` is the share of them that failed, each in its own way."""
    random.seed(3)
    results = []
    for i in range(count):
        backend, graph = BACKENDS[i % len(BACKENDS)], f"{GRAPHS[i // 8 % len(GRAPHS)]}-{i // 72}"
        wrong = i < count * failed
        finding = Finding(
            summary=f"{backend} differs from the oracle on {graph} {text}",
            expected=f"{i}.0 at node {i} {text}",
            found=f"{i + 1}.0 {text}",
            cause=f"cause of {graph} and {backend}: {text}",
            fix=f"mend {graph} in {backend} {text}",
        )
        results.append(
            Result(
                id=f"equivalence/bounded/gradients_of_weighted_graphs[{backend}-{graph}-{GPUS[i % 2]}]{text}",
                suite="equivalence",
                tier="standard",
                outcome=Outcome.FAILED if wrong else Outcome.PASSED,
                title="Every gradient is within the componentwise bound of the float64 oracle.",
                device=GPUS[i % 2],
                duration_s=0.02 + random.random() / 50,
                finding=finding if wrong else None,
                margins=tuple(_margin(q, random.lognormvariate(-4, 1.5), 2.0**-20) for q in QUANTITIES),
                facts={"backend": backend, "graph": graph},
                log=log if wrong else "",
                nodeid=f"suites/equivalence/test_bounded.py::test_gradients_of_weighted_graphs[{backend}-{graph}]",
            )
        )
    return run_of(results)


def hostile_run() -> Run:
    """Texts that would break out of a page, a table, a log or a command."""
    script = "<script>alert(1)</script>"
    result = Result(
        id=f'equivalence/exact/forward[{script}|"quoted"|`tick`|\x00a,b:c|\U0001f600-cpu]',
        suite="equivalence",
        tier="smoke",
        outcome=Outcome.FAILED,
        title=f"title {script} & more | pipe\nsecond line",
        device="cpu",
        finding=Finding(
            summary=f"summary {script} 100% wrong: a, b\r\n::error::injected",
            expected="]]> --> \x1b[31mred\x1b[0m \x00 nul \udcff byte",
            found="emoji \U0001f600 and \x07 bell </details></section>",
            cause="cause with `code` and <img src=x onerror=alert(1)> \u202ereversed",
            fix="run `rm -rf ./build && echo '<b>'` ``` and\n``` fence",
        ),
        log="\x1b[1mbold\x1b[0m \x00\x01 progress 1%\rprogress 2% \udc80\n```\n</pre></details><script>",
        nodeid="suites/equivalence/test_exact.py::test_forward[<script>; rm -rf ~]",
        margins=(Margin(name="forward|`x`", error=math.inf, bound=0.0, where="node <17>"),),
        measurements=(
            Measurement(
                name="step_<time>",
                unit="s</td>",
                direction="lower",
                samples=(1e-9, 2e-9, 3e-9),
                device="cpu",
                workload="a<b>",
                params={"k|ey": "v`al", "nodes": 1000},
            ),
        ),
        facts={"backend": f"my{script}"},
    )
    run = run_of([result], gpu=False)
    facts = {
        "a": Fact(value={"<k>": [None, True, math.nan, {"x": "\x1b[0m"}]}, title="<odd>", group="<group>"),
        "b": Fact(value=None, title="broken", group="<group>", error="boom </table>"),
    }
    invocation = replace(run.invocation, argv=("run", "-k", script), keyword=script)
    return replace(
        run,
        id=f"../../{script}",
        gnnbench="0.1\x00\udcff<b>",
        started_at="yester\x00day\udcff",
        environment=Environment(facts=facts, packages={script: "1"}),
        invocation=invocation,
        warnings=(f"warning {script}",),
    )


def _margin(name: str, ratio: float, bound: float, rule: str = "componentwise") -> Margin:
    where = f"node {random.randrange(3000)}, channel {random.randrange(8)}"
    return Margin(name=name, error=min(ratio, 0.93) * bound, bound=bound, rule=rule, where=where)


def _result(
    check: str, parameters: str, title: str, outcome: Outcome = Outcome.PASSED, **fields: object
) -> Result:
    suite, file, function = check.split("/")
    inside = f"[{parameters}]" if parameters else ""
    values: dict[str, object] = {
        "id": f"{check}{inside}",
        "suite": suite,
        "tier": "smoke",
        "outcome": outcome,
        "title": title,
        "duration_s": 0.01 + random.random() / 20,
        "nodeid": f"suites/{suite}/test_{file}.py::test_{function}{inside}",
        **fields,
    }
    return Result(**values)  # type: ignore[arg-type]


def _environment_results(devices: tuple[str, ...]) -> list[Result]:
    gpu = devices[0] != "cpu"
    results = [
        _result("environment/python/version", "", "Python is one that torch supports."),
        _result("environment/torch_build/imports", "", "torch imports in a clean process without a warning."),
        _result("environment/limits/shared_memory", "", "/dev/shm holds what two DataLoader workers need."),
    ]
    for name in ("pyg_lib", "torch_scatter", "torch_sparse", "torch_cluster", "torch_spline_conv"):
        absent = name in ("torch_cluster", "torch_spline_conv")
        finding = Finding(
            summary=f"{name} is not installed",
            needs=f"package:{name}",
            fix=f"pip install {name.replace('_', '-')}",
        )
        results.append(
            _result(
                "environment/extensions/import",
                name,
                "The extension imports, and each of its operators runs forward and backward.",
                Outcome.NOT_APPLICABLE if absent else Outcome.PASSED,
                finding=finding if absent else None,
            )
        )
    for check, title in (
        ("environment/driver/runtime", "The driver is at least as new as the CUDA runtime."),
        ("environment/devices/kernel", "A kernel really ran on the device."),
        ("environment/devices/capability", "torch was compiled for the compute capability of the device."),
        ("environment/cudnn/convolution", "A convolution by cuDNN agrees with float64."),
        ("environment/nccl/all_reduce", "An all-reduce of world size 1 returns its input."),
    ):
        for device in devices:
            absent = Finding(
                summary="no CUDA device",
                needs="cuda",
                fix="docker run --gpus all …, or install the NVIDIA driver",
            )
            results.append(
                _result(
                    check,
                    device,
                    title,
                    Outcome.PASSED if gpu else Outcome.NOT_APPLICABLE,
                    device=device,
                    finding=None if gpu else absent,
                )
            )
    return results


def _equivalence_results(devices: tuple[str, ...]) -> list[Result]:
    results = []
    for device in devices:
        for backend in (*BACKENDS, *COMPILED):
            for graph in GRAPHS:
                facts = {"backend": backend, "graph": graph}
                tier = "standard" if backend in COMPILED else "smoke"
                results.append(
                    _result(
                        "equivalence/exact/forward",
                        f"{backend}-{graph}-{device}",
                        "Every entry of the forward pass equals the float64 oracle bit for bit.",
                        device=device,
                        tier=tier,
                        facts=facts,
                        margins=(_margin("forward", 0.0, 0.0, "exact"),),
                    )
                )
                bound = 2.0**-20 * random.uniform(0.5, 8)
                results.append(
                    _result(
                        "equivalence/bounded/gradients",
                        f"{backend}-{graph}-{device}",
                        "Forward pass and gradients are within the componentwise bound.",
                        device=device,
                        tier=tier,
                        facts=facts,
                        margins=tuple(_margin(q, random.lognormvariate(-3, 0.8), bound) for q in QUANTITIES),
                    )
                )
    return results


def _precision_results(devices: tuple[str, ...]) -> list[Result]:
    results = []
    for device in devices:
        for dtype in ("fp32", "fp16", "bf16"):
            if dtype == "fp16" and device == "cpu":
                continue
            accuracy = {"fp32": 0.815, "fp16": 0.814, "bf16": 0.812}[dtype] * 100
            results.append(
                _result(
                    "precision/training/autocast",
                    f"{dtype}-{device}",
                    "Training under autocast starts where float32 starts and ends as accurate.",
                    device=device,
                    duration_s=4.2,
                    margins=(
                        _margin("loss", 0.3 * random.random(), 2.4e-2, "precision class"),
                        _margin("dW", 0.6 * random.random(), 8e-3, "precision class"),
                    ),
                    measurements=(
                        Measurement(
                            name="test_accuracy",
                            unit="%",
                            direction="higher",
                            samples=tuple(accuracy + d for d in (-0.5, 0.0, 0.3, 0.6, -0.1)),
                            device=device,
                            workload="gcn-cora",
                            params={"precision": dtype, "epochs": 200},
                        ),
                    ),
                )
            )
    return results


def _memory_results(devices: tuple[str, ...]) -> list[Result]:
    results = []
    for device in devices:
        for backend, nodes in (("dense", 57_344), ("csr", 4_194_304)):
            nodes = nodes if device != "cpu" else nodes // 16
            results.append(
                _result(
                    "memory/threshold/training_step",
                    f"{backend}-{device}",
                    "The largest graph that one training step survives is the one the memory model predicts.",
                    device=device,
                    duration_s=12.0,
                    facts={"backend": backend, "predicted_nodes": int(nodes * 1.04)},
                    measurements=(
                        Measurement(
                            name="largest_nodes",
                            unit="node",
                            direction="higher",
                            samples=(float(nodes),),
                            device=device,
                            workload="gcn-training-step",
                            params={"backend": backend, "degree": 16, "features": 64},
                            noisy=False,
                        ),
                        Measurement(
                            name="peak_memory",
                            unit="B",
                            direction="lower",
                            samples=(8.1e9 if backend == "csr" else 7.9e9,),
                            device=device,
                            workload="gcn-training-step",
                            params={"backend": backend, "degree": 16, "features": 64},
                            noisy=False,
                        ),
                    ),
                )
            )
    return results


def _throughput_results(devices: tuple[str, ...]) -> list[Result]:
    rates = {"csr": 2.9e9, "coo": 1.6e9, "csc": 0.7e9, "gather-scatter": 1.1e9, "pyg-edge-index": 0.9e9}
    results = []
    for device in devices:
        for phase in ("forward", "training_step"):
            for backend, rate in rates.items():
                rate = rate * (0.31 if phase == "training_step" else 1) / (1 if device != "cpu" else 60)
                samples = tuple(rate * random.gauss(1, 0.03) for _ in range(20))
                results.append(
                    _result(
                        f"throughput/spmm/{phase}",
                        f"{backend}-{device}",
                        "The rate was measured with the device synchronised, and its samples agree.",
                        device=device,
                        duration_s=1.3,
                        facts={"backend": backend},
                        measurements=(
                            Measurement(
                                name="edges_per_second",
                                unit="edge/s",
                                direction="higher",
                                samples=samples,
                                device=device,
                                workload=f"gcn-{phase.replace('_', '-')}",
                                params={
                                    "backend": backend,
                                    "nodes": 1_000_000,
                                    "edges": 16_000_000,
                                    "features": 64,
                                },
                            ),
                        ),
                    )
                )
    return results


def _distributed_results() -> list[Result]:
    return [
        _result(
            "distributed/collectives/all_reduce",
            str(world),
            "An all-reduce over every rank returns the sum.",
            Outcome.NOT_APPLICABLE,
            tier="standard",
            finding=Finding(
                summary=f"needs {world} GPUs, found fewer",
                needs=f"cuda:{world}",
                fix=f"Run on a machine with {world} GPUs, or leave the suite out.",
            ),
        )
        for world in (4, 8)
    ]

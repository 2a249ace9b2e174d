"""gnnbench.contract: what holds and what does not, told with line, key, expected and found."""

import http.server
import json
import socket
import threading
import time

import pytest
from contracts import FOUR_GPUS, broken, environment, fact, parse

from gnnbench.contract import State, service_clause

#: Text of a contract → what is said of it on a machine with four GPUs; None where it holds.
RULINGS = [
    # packages
    ("[packages]\ntorch = '>=2.8,<2.9'", None),
    ("[packages]\ntorch = '==2.8.0'", None),
    ("[packages]\ntorch = '==2.8.0+cu121'", None),
    ("[packages]\ntorch = '==2.8.0+cu118'", "packages.torch: expected ==2.8.0+cu118, found 2.8.0+cu121"),
    ("[packages]\ntorch = '>=2.9'", "packages.torch: expected >=2.9, found 2.8.0+cu121"),
    ("[packages]\nTorch_Geometric = '~=2.6'", None),
    ("[packages]\nodd = '===1.0-WEIRD'", None),
    ("[packages]\nodd = '>=0'", "packages.odd: expected >=0, found 1.0-weird"),
    ("[packages]\ntorch = true", None),
    ("[packages]\ntriton = true", "packages.triton: expected any version, found none installed"),
    ("[packages]\ntriton = '>=3'", "packages.triton: expected >=3, found none installed"),
    ("[packages]\ntriton = false", None),
    ("[packages]\ntorch = false", "packages.torch: expected none installed, found 2.8.0+cu121"),
    ("[packages]\npre = '>=2.8'", None),
    ("[packages]\npre = '>=2.9'", "packages.pre: expected >=2.9, found 2.9.0a0+git1"),
    # equal
    ("torch.cxx11_abi = 1", "torch.cxx11_abi: expected 1, found true"),
    ("torch.cuda = '12.1'", None),
    ("torch.cuda = ['11.8', '12.1']", None),
    ("torch.cuda = ['11.8', '12.4']", "torch.cuda: expected 11.8 or 12.4, found 12.1"),
    ("torch.cuda = 12.1", "torch.cuda: expected 12.1, found 12.1"),
    ("torch.cuda = false", "torch.cuda: expected none, found 12.1"),
    ("torch.hip = false", None),
    ("torch.hip = '6.2'", "torch.hip: expected 6.2, found nothing"),
    ("torch.debug = false", None),
    ("torch.debug = true", "torch.debug: expected true, found false"),
    ("torch.debug = 0", "torch.debug: expected 0, found false"),
    ("hardware.gpu_models = ['NVIDIA H100 80GB HBM3']", None),
    ("hardware.gpu_models = []", "hardware.gpu_models: expected none, found " + ", ".join(["NVIDIA H100 80GB HBM3"] * 4)),
    ("hardware.gpu_models = [\n'NVIDIA H100 80GB HBM3',\n'A100']", "contract.toml:4: hardware.gpu_models[A100]: expected A100 among them, found NVIDIA"),
    ("pyg.flags.WITH_TORCH_SCATTER = true", None),
    ("pyg.flags.WITH_TORCH_SCATTER = false", "pyg.flags.WITH_TORCH_SCATTER: expected none, found true"),
    ("pyg.flags.WITH_PYG_LIB = true", "pyg.flags.WITH_PYG_LIB: expected true, found false"),
    ("pyg.flags.WITH_NEW = true", "pyg.flags.WITH_NEW: expected true, found nothing"),
    ("pyg.flags = 3", "pyg.flags: expected 3, found WITH_TORCH_SCATTER, WITH_PYG_LIB"),
    # at least
    ("hardware.gpu_count = 4", None),
    ("hardware.gpu_count = 5", "hardware.gpu_count: expected at least 5, found 4"),
    ("limits.shm_size = '1 GiB'", None),
    ("limits.shm_size = 1073741824", None),
    ("limits.shm_size = '1.1 GiB'", "limits.shm_size: expected at least 1.10 GiB, found 1.00 GiB"),
    ("limits.shm_size = 'unlimited'", "limits.shm_size: expected at least unlimited, found 1.00 GiB"),
    ("limits.memlock = 'unlimited'", None),
    ("limits.memlock = '64 TiB'", None),
    ("limits.cgroup_cpus = 7.5", None),
    ("limits.cgroup_cpus = 8", "limits.cgroup_cpus: expected at least 8, found 7.5"),
    ("hardware.driver_version = '535.9'", None),
    ("hardware.driver_version = '550.100'", "hardware.driver_version: expected at least 550.100, found 550.54.14"),
    ("hardware.driver_version = 550", None),
    # includes
    ("torch.arch_list = ['sm_90']", None),
    ("torch.arch_list = 'sm_90'", None),
    ("nccl.transport = ['P2P', 'IB']", "nccl.transport[IB]: expected IB among them, found P2P, SHM"),
    ("nccl.transport = false", "nccl.transport: expected none, found P2P, SHM"),
    # specifier
    ("torch.cudnn = '>=9,<10'", None),
    ("torch.cudnn = '<9'", "torch.cudnn: expected <9, found 9.1.0"),
    ("torch.nccl = false", "torch.nccl: expected none, found nothing that could be read: it was not read"),
    ("libraries.versions.'libcudnn.so.9' = '==9.1.*'", None),
    ("libraries.versions.'libcudnn.so.8' = '>=8'", 'libraries.versions."libcudnn.so.8": expected >=8, found nothing'),
    ("libraries.versions.'libodd.so' = false", None),
    # extensions and variables
    ("extensions.work = ['torch_scatter']", None),
    ("extensions.work = ['pyg_lib']", "extensions.work[pyg_lib]: expected pyg_lib works, found OSError: undefined symbol"),
    ("extensions.work = ['torch_sparse']", "extensions.work[torch_sparse]: expected torch_sparse works, found not installed"),
    ("variables.set.NCCL_DEBUG = 'WARN'", None),
    ("variables.set.NCCL_DEBUG = true", None),
    ("variables.set.NCCL_DEBUG = 'INFO'", "variables.set.NCCL_DEBUG: expected NCCL_DEBUG=INFO, found NCCL_DEBUG=WARN"),
    ("variables.set.'NCCL_*' = true", None),
    ("variables.set.NCCL_P2P_LEVEL = true", "variables.set.NCCL_P2P_LEVEL: expected any value, found not set"),
    ("variables.unset = ['OMP_*']", None),
    ("variables.unset = ['NCCL_*']", "variables.unset[NCCL_*]: expected not set, found NCCL_DEBUG=WARN"),
    # not readable is not held
    ("limits.address_space = '1 GiB'", "limits.address_space: expected at least 1 GiB, found nothing that could be read: PermissionError: no"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), RULINGS)
def test_rulings(text, said):
    """By every rule: what holds is silent, what does not is told with line and key."""
    found = broken(parse(text), FOUR_GPUS)

    if said is None:
        assert found == []
    else:
        (line,) = found
        assert said in line
        assert line.startswith("contract.toml:")


@pytest.mark.parametrize(
    ("text", "found", "cause"),
    [
        ("packages.torch = '>=2.8'", environment({"torch": "2.8.0a0+git1"}), "2.8.0a0+git1 is a pre-release, which comes before 2.8.0; >=2.8.0.dev0 lets it pass"),
        ("packages.odd = '>=1'", FOUR_GPUS, "PEP 440 can't order 1.0-weird: only ===1.0-weird lets it pass"),
        ("torch.cuda = 12.1", FOUR_GPUS, "it is a text: write torch.cuda in quotes"),
    ],
)  # fmt: skip
def test_causes_that_are_easily_overlooked(text, found, cause):
    """A pre-release is below its release, an odd version can't be ordered, a version is no number."""
    contract = parse(text)
    _, ruling = contract.judge(contract.clauses[0], found)

    assert ruling.state is State.BROKEN
    assert ruling.cause == cause


@pytest.mark.parametrize(
    "text", ["extensions.work = ['pyg_lib']", "variables.unset = ['NCCL_*']", "nccl.version = '>=2'"]
)
@pytest.mark.parametrize("found", [environment(), environment(pyg__extensions=fact(None, error="TimeoutError: 60 s"), variables__set=fact(None, error="OSError: x"), nccl__version=fact(None, error="OSError: y"))])  # fmt: skip
def test_what_could_not_be_read_is_unknown(text, found):
    """A fact without a value, or that was never read, holds nothing and breaks nothing."""
    contract = parse(text)
    _, ruling = contract.judge(contract.clauses[0], found)

    assert ruling.state is State.UNKNOWN
    assert ruling.cause
    assert ruling.fix


def test_every_broken_clause_says_what_to_do():
    """For every table, and names the option, command or place."""
    texts = [text for text, said in RULINGS if said is not None and "could be read" not in said]
    for text in texts:
        contract = parse(text)
        rulings = [contract.judge(clause, FOUR_GPUS)[1] for clause in contract.clauses]
        assert all(ruling.fix for ruling in rulings if ruling.state is State.BROKEN), text


#
# Services: real ones, on ports of their own
#


@pytest.fixture
def serve(request):
    """Start a server that does `talk(connection)` with whoever connects; gives its port."""

    def start(talk):
        listener = socket.create_server(("127.0.0.1", 0))
        request.addfinalizer(listener.close)

        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        talk(connection)
                    except OSError:
                        pass

        threading.Thread(target=accept, daemon=True).start()
        return listener.getsockname()[1]

    return start


@pytest.fixture
def jupyter():
    """An HTTP server that answers as Jupyter does, and keeps connections open as long as it is asked to."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            body = json.dumps({"version": "2.14.2"}).encode() if self.path == "/api" else b"{}"
            self.send_response(200 if self.path == "/api" else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = False

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def service(port, speaks=None):
    """What is said of a service, and the ruling."""
    contract = parse(f"[services.it]\nport = {port}\n" + (f"speaks = '{speaks}'" if speaks else ""))
    return contract.judge(contract.clauses[0], environment())


def test_services_that_are_there(serve, jupyter):
    """SSH greets, with other lines before it too; Jupyter answers with its version; anything listens."""
    begun = time.monotonic()
    ssh = serve(lambda connection: connection.sendall(b"Welcome\r\nSSH-2.0-OpenSSH_9.6\r\n"))

    assert service(ssh, "ssh")[1].state is State.HELD
    assert service(ssh)[1].state is State.HELD
    assert service(jupyter, "jupyter")[1].state is State.HELD
    assert time.monotonic() - begun < service_clause.TIMEOUT_S  # nobody is waited for who has said enough


def test_services_that_are_not(serve, jupyter, monkeypatch):
    """Nothing there points at the port, another protocol at what it should speak; silence ends in time."""
    monkeypatch.setattr(service_clause, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as free:
        unused = free.getsockname()[1]
    drip = serve(lambda connection: [connection.sendall(b"x") or time.sleep(0.05) for _ in range(100)])
    begun = time.monotonic()
    said = [
        service(unused, "ssh")[0],
        service(unused)[0],
        service(jupyter, "ssh")[0],
        service(serve(lambda connection: connection.sendall(b"SSH-2.0-x\r\n")), "jupyter")[0],
        service(serve(lambda connection: connection.sendall(b"SSH-1.5-x\r\n")), "ssh")[0],
        service(serve(lambda connection: connection.recv(9999)), "jupyter")[0],
        service(serve(lambda connection: connection.sendall(b'HTTP/1.1 500 No\r\n\r\n{"version": "1"}')), "jupyter")[0],
        service(drip, "ssh")[0],
    ]  # fmt: skip

    assert said[0].startswith(
        f"contract.toml:3: services.it.port: expected something that listens on port {unused}, found none: Conn"
    )
    assert said[1] == said[0]
    assert (
        said[2]
        == "contract.toml:4: services.it.speaks: expected a server that greets with SSH-2.0, found no answer"
    )
    assert said[3].startswith("contract.toml:4: services.it.speaks: expected Jupyter, which answers GET /api")
    assert said[3].endswith("found an answer that begins with 'SSH-2.0-x'")
    assert said[4].endswith("found an answer that begins with 'SSH-1.5-x'")
    assert said[5].startswith("contract.toml:4: services.it.speaks: expected Jupyter")
    assert said[6].endswith("found an answer that begins with 'HTTP/1.1 500 No'")
    assert said[7].endswith("'")
    assert time.monotonic() - begun < 3

"""gnnbench.contract.reading: what is no contract is refused in one line that points at file, line and key."""

import pytest
from contracts import HEAD, parse, vocabulary

from gnnbench.contract import ContractError, parse_contract, read_contract

COMPLAINTS = [
    # TOML itself
    ("[packages]\ntorch = \n", "c.toml:3: expected TOML, found at column 9: invalid value"),
    ("x = 1\nx = 2", "c.toml:3: x: expected it once, found it in line 2 too; take one of them out"),
    ("[limits]\nmemlock = 1\n[limits]", "c.toml:4: limits: expected it once, found it in line 2 too; take one of them out"),
    ("[torch]\narch_list = [\n'a']\narch_list = [\n'b']", "c.toml:5: torch.arch_list: expected it once, found it in line 3 too"),
    ("x = {a = 1, a = 2}", "c.toml:2: x.a: expected it once, found it in line 2 too"),
    ("[packages\n", "c.toml:2: expected TOML, found at "),
    ("[packages]\ntorch = '2", "c.toml:3: expected TOML, found at "),
    ("x = " + "[" * 4000, "c.toml: expected a contract, found brackets nested too deep to be read"),
    # names
    ("[hardwear]", "c.toml:2: hardwear: expected a table that contracts have, found 'hardwear'; did you mean hardware?"),
    ("Packages = {}", "c.toml:2: Packages: expected a table that contracts have, found 'Packages'; did you mean packages?"),
    ("[zebra]", "c.toml:2: zebra: expected a table that contracts have, found 'zebra'; there are cuda, extensions, hardware"),
    ("torch = '2'", 'c.toml:2: torch: expected a table, found "2"'),
    ("[hardware]\n\ngpu_cuont = 4", "c.toml:4: hardware.gpu_cuont: expected a key that contracts have, found 'gpu_cuont'; did you mean gpu_count?"),
    ("hardware.gpu_cuont = 4", "c.toml:2: hardware.gpu_cuont: expected a key"),
    ("[system]\nkernel = '6'", "c.toml:3: system.kernel: expected a fact that contracts can ask for (distribution, libc, machine), found 'kernel', which differs between sound machines"),
    ("[pyg]\nextensions = 1", "c.toml:3: pyg.extensions: expected [extensions] work to ask for it, found pyg.extensions"),
    ("[extensions]\nwrok = []", "c.toml:3: extensions.wrok: expected a key that contracts have, found 'wrok'; did you mean work?"),
    ("[extensions]\nwork = [\n 'torch_sparse',\n 'torch_scater']", "c.toml:5: extensions.work: expected an extension of PyTorch Geometric, found 'torch_scater'; did you mean torch_scatter?"),
    ("[services.ssh]\nport = 22\nspeak = 'ssh'", "c.toml:4: services.ssh.speak: expected a key that contracts have, found 'speak'; did you mean speaks?"),
    ("[not_applicable]\nenviroment = []", "c.toml:3: not_applicable.enviroment: expected a suite that contracts have, found 'enviroment'; did you mean environment?"),
    # kinds and values
    ("[packages]\ntorch = '2.8'", "c.toml:3: packages.torch: expected a version specifier such as >=2.8,<2.9, found '2.8'; for this version alone write ==2.8"),
    ("[packages]\ntorch = '>=two'", "c.toml:3: packages.torch: expected a version specifier such as >=2.8,<2.9, found '>=two'"),
    ("[packages]\ntorch = ''", "c.toml:3: packages.torch: expected a version specifier such as >=2.8,<2.9, found ''; true means any version"),
    ("[packages]\ntorch = 2.8", 'c.toml:3: packages.torch: expected a version specifier such as ">=2.8,<2.9", true for any version, or false for none, found 2.8'),
    ("[packages]\n'a b' = true", "c.toml:3: packages.\"a b\": expected the name of a distribution, found 'a b'"),
    ("[packages]\ntorch-geometric = true\nTorch_Geometric = true", "c.toml:4: packages.Torch_Geometric: expected each distribution once, found it as 'torch-geometric' too; take one of them out"),
    ("[torch]\ncudnn = 9", 'c.toml:3: torch.cudnn: expected a version specifier such as ">=2.8,<2.9", or false for none, found 9'),
    ("[torch]\ncuda = 1979-05-27", "c.toml:3: torch.cuda: expected a text, a number, true or false, or an array of them, found the date or time 1979-05-27"),
    ("[torch]\ncuda = ['11.8',\n['12.1']]", "c.toml:4: torch.cuda: expected a text or a number, found an array"),
    ("[torch]\ncuda = {}", "c.toml:3: torch.cuda: expected at least one entry, found none; it asks for nothing"),
    ("[torch]\narch_list = 9", "c.toml:3: torch.arch_list: expected a text, or an array of texts, found 9"),
    ("[torch]\narch_list = []", "c.toml:3: torch.arch_list: expected an array of texts that has an element, for without one it asks for nothing, found an empty array"),
    ("[torch]\narch_list = ['a',\n'a']", "c.toml:4: torch.arch_list[a]: it stands in this array already; take one of them out"),
    ("[limits]\nshm_size = '1 GB'", "c.toml:3: limits.shm_size: expected a size such as 1 GiB or 512 MiB, found '1 GB'"),
    ("[limits]\nshm_size = -1", "c.toml:3: limits.shm_size: expected a number above 0, for every image has at least 0, found -1"),
    ("[limits]\nnofile = nan", "c.toml:3: limits.nofile: expected a number above 0"),
    ("[limits]\nnofile = 1" + "0" * 400, "c.toml:3: limits.nofile: expected a whole number of 64 bits, found one of 1329"),
    ("[limits]\nshm_size = '" + "1" * 400 + " GiB'", "c.toml:3: limits.shm_size: expected a size such as 1 GiB or 512 MiB, found a number of 400 digits"),
    ("[hardware]\ndriver_version = '" + "1" * 5000 + "'", "c.toml:3: hardware.driver_version: expected a text of at most 1000 characters, found one of 5000"),
    ("[torch]\narch_list = ['a',\n'" + "1" * 5000 + "']", "c.toml:4: torch.arch_list: expected a text of at most 1000 characters, found one of 5000"),
    ("[packages]\n" + "a" * 5000 + " = true", "c.toml:2: packages: expected keys of at most 1000 characters, found one of 5000"),
    ("[limits]\nnofile = 'lots'", 'c.toml:3: limits.nofile: expected a number, or a version in quotes, or "unlimited", found "lots"'),
    ("[limits]\nmemlock = true", 'c.toml:3: limits.memlock: expected a size such as "1 GiB", a number of bytes, or "unlimited", found true'),
    ("[hardware]\ngpu_count = 0", "c.toml:3: hardware.gpu_count: expected a number above 0, for every image has at least 0, found 0"),
    ("[hardware]\ngpu_count = 'four'", 'c.toml:3: hardware.gpu_count: expected a number, or a version in quotes, or "unlimited", found "four"'),
    ("[variables]\nunset = ['AWS_*']", "c.toml:3: variables.unset: expected a variable that gnnbench records (CUBLAS_*, CUDA_*"),
    ("[variables]\nunset = ['NVIDIA_API_KEY']", "c.toml:3: variables.unset: expected a variable that gnnbench records"),
    ("[variables]\nunset = 'NCCL_*'", 'c.toml:3: variables.unset: expected an array of names, found "NCCL_*"'),
    ("[variables]\nset = ['NCCL_DEBUG']", "c.toml:3: variables.set: expected a table of names and values, found an array"),
    ("[variables.set]\nNCCL_DEBUG = 1", "c.toml:3: variables.set.NCCL_DEBUG: expected a text, or true for any value, found 1; write the value in quotes"),
    ("[variables.set]\nNCCL_DEBUG = false", "c.toml:3: variables.set.NCCL_DEBUG: expected a text, or true for any value, found false; write the value in quotes, or the name into unset"),
    ("[variables.set]\nHOME = '/'", "c.toml:3: variables.set.HOME: expected a variable that gnnbench records"),
    ("services = 3", "c.toml:2: services: expected a table of services, found 3"),
    ("[services.ssh]\nspeaks = 'ssh'", "c.toml:2: services.ssh: expected port = NUMBER, found none"),
    ("[services.ssh]\nport = 70000", "c.toml:3: services.ssh.port: expected a port from 1 to 65535, found 70000"),
    ("[services.ssh]\nport = true", "c.toml:3: services.ssh.port: expected a port from 1 to 65535, found true"),
    ("[services.ssh]\nport = 22\nspeaks = 'telnet'", 'c.toml:4: services.ssh.speaks: expected jupyter or ssh, found "telnet"'),
    ("[services.ssh]\nport = 22\nspeaks = ['ssh']", "c.toml:4: services.ssh.speaks: expected jupyter or ssh, found an array"),
    ("[not_applicable]\nenvironment = 'gpu/*'", 'c.toml:3: not_applicable.environment: expected an array of checks, such as ["gpu/*"], found "gpu/*"'),
    ("[not_applicable]\nenvironment = [1]", "c.toml:3: not_applicable.environment: expected a check without its suite, such as gpu/*, found 1"),
    ("[not_applicable]\nenvironment = [\n'environment/gpu/*']", "c.toml:4: not_applicable.environment: expected a check without its suite, found 'environment/gpu/*'; leave environment/ out"),
    # the whole
    ("", "c.toml: expected a table such as [packages], found none; it asks for nothing"),
    ("[packages]", "c.toml: expected a table such as [packages], found none; it asks for nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "complaint"), COMPLAINTS)
def test_mistakes_are_one_line(text, complaint):
    """File, line, key, what was expected, what was found, and the nearest known name."""
    with pytest.raises(ContractError) as raised:
        parse(text, "c.toml")

    assert str(raised.value).startswith(complaint)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[packages]\n", 'c.toml:1: schema: expected schema = "gnnbench.contract/1" before all tables, found none'),
        ('\nschema = "gnnbench.contract/2"', "c.toml:2: schema: expected \"gnnbench.contract/1\", found 'gnnbench.contract/2'; a newer gnnbench reads it"),
        ("schema = 1", 'c.toml:1: schema: expected "gnnbench.contract/1", found 1'),
    ],
)  # fmt: skip
def test_schemas(text, complaint):
    """A file says of itself that it is a contract, and of which format."""
    with pytest.raises(ContractError) as raised:
        parse_contract(text, "c.toml", vocabulary())

    assert str(raised.value) == complaint


def test_files(tmp_path):
    """What can't be read is told like the rest; a byte order mark and Windows' line ends do no harm."""
    (tmp_path / "latin.toml").write_bytes(HEAD.encode() + b"# caf\xe9\n[packages]\ntorch = true")
    (tmp_path / "good.toml").write_bytes(
        b"\xef\xbb\xbf" + (HEAD + "[packages]\ntorch = true").replace("\n", "\r\n").encode()
    )

    for name, complaint in (
        ("nowhere.toml", "expected a contract, found none: No such file or directory; gnnbench snapshot"),
        ("", "expected a contract, found none: Is a directory; gnnbench snapshot"),
        ("a\0b", "expected a contract, found none: embedded null byte; gnnbench snapshot"),
        ("latin.toml", f"expected UTF-8, found the byte 0xe9 at offset {len(HEAD) + 5}; save it as UTF-8"),
    ):
        with pytest.raises(ContractError) as raised:
            read_contract(f"{tmp_path}/{name}", vocabulary())
        assert complaint in str(raised.value)
        assert "\n" not in str(raised.value)
    (clause,) = read_contract(tmp_path / "good.toml", vocabulary()).clauses
    assert (clause.place.key, clause.place.line) == ("packages.torch", 3)


def test_each_line_is_a_clause_of_its_own():
    """Keys, ids and lines: entries of a table, elements of an array that are held one by one."""
    contract = parse(
        """[packages]
torch = ">=2.8"
[torch]
cuda = ["11.8",
  "12.1"]
arch_list = [
  "sm_80",
  "sm_90",
]
[libraries.versions]
"libcudnn.so.9" = ">=9"
[variables]
set.NCCL_DEBUG = "WARN"
unset = ["CUDA_*"]
[services.ssh]
port = 22
"""
    )

    assert [(clause.id, clause.place.line) for clause in contract.clauses] == [
        ("packages.torch", 3),
        ("torch.cuda", 5),
        ("torch.arch_list[sm_80]", 8),
        ("torch.arch_list[sm_90]", 9),
        ('libraries.versions."libcudnn.so.9"', 12),
        ("variables.set.NCCL_DEBUG", 14),
        ("variables.unset[CUDA_*]", 15),
        ("services.ssh", 16),
    ]


def test_ids_are_ascii():
    """What a check is called survives terminals, shells and pytest's own escapes."""
    contract = parse('torch.arch_list = ["sm é\\n\\\\%"]')

    assert contract.clauses[0].id == "torch.arch_list[sm%20%C3%A9%0A%5C%25]"


def test_what_a_contract_requires():
    """What it asks for must not be what other checks go without, and each need has the line that asks first."""
    contract = parse(
        """[hardware]
gpu_count = 4
gpu_models = ["H100"]
capabilities = ["9.0"]
[packages]
torch = true
pynvml = false
[extensions]
work = ["pyg_lib"]
[nccl]
transport = ["P2P"]
"""
    )

    assert contract.requirements == {
        "cuda:2": "contract.toml:12: nccl.transport[P2P]",
        "package:pyg_lib": "contract.toml:10: extensions.work[pyg_lib]",
        "package:torch": "contract.toml:7: packages.torch",
        "cuda": "contract.toml:4: hardware.gpu_models",
        "cuda:4": "contract.toml:3: hardware.gpu_count",
    }
    assert parse("hardware.gpu_models = []\ntorch.cuda = false").requirements == {}


def test_checks_that_may_be_not_applicable():
    """Globs of checks without their suite; brackets are brackets; a suite that is not named may do as it likes."""
    contract = parse('[not_applicable]\nenvironment = ["gpu/*", "device/matmul[cuda:?]"]\nmemory = []')

    for check in (
        "environment/gpu/driver",
        "environment/device/matmul[cuda:0]",
        "precision/training/amp[cpu]",
    ):
        assert contract.forbids(check) is None
    for check in ("environment/device/matmul[cpu]", "environment/device/matmulc", "environment/xgpu/driver"):
        assert contract.forbids(check).where == "contract.toml:3: not_applicable.environment"
    assert contract.forbids("memory/peak/x").where == "contract.toml:4: not_applicable.memory"

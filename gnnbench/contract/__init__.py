"""Contracts: what an image must provide, read from TOML, held against an environment, written from a run.

Imports the record alone: a contract can be read, judged and written where there is no torch.
"""

from gnnbench.contract.clause import Clause, Place, Ruling, State
from gnnbench.contract.complaint import ContractError
from gnnbench.contract.contract import Allowance, Broken, Contract
from gnnbench.contract.reading import SCHEMA, parse_contract, read_contract
from gnnbench.contract.snapshot import snapshot
from gnnbench.contract.vocabulary import Known, Vocabulary

__all__ = [
    "SCHEMA",
    "Allowance",
    "Broken",
    "Clause",
    "Contract",
    "ContractError",
    "Known",
    "Place",
    "Ruling",
    "State",
    "Vocabulary",
    "parse_contract",
    "read_contract",
    "snapshot",
]

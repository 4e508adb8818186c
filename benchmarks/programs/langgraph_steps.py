"""LangGraph with its SQLite checkpointer: `python langgraph_steps.py COUNT BODY`, a checkpoint after each node."""

import subprocess
import sys
from typing import TypedDict

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph

COUNT, BODY = int(sys.argv[1]), sys.argv[2]


class State(TypedDict):
    """What the nodes hand on."""

    done: int


def step(state: State) -> State:
    """Do what the comparison is about."""
    if BODY == "command":
        subprocess.run(["/bin/true"], check=True)
    return {"done": state["done"] + 1}


graph = StateGraph(State)
names = [f"step-{number}" for number in range(COUNT)]
for name in names:
    graph.add_node(name, step)
for before, after in zip([START, *names], [*names, END], strict=True):
    graph.add_edge(before, after)
with SqliteSaver.from_conn_string("many.sqlite") as saver:
    config = {"configurable": {"thread_id": "many"}, "recursion_limit": COUNT + 10}
    end = graph.compile(checkpointer=saver).invoke({"done": 0}, config, durability="sync")
print(f"{end['done']} steps done")

"""The checkers of the exercises."""

import numpy as np
import pytest
import torch

from risbook.teaching import check, check_solution, check_value, compare_prediction
from risbook.teaching.exercises import same


def stub(a, b):
    raise NotImplementedError


def test_an_unattempted_stub_prints_one_constant_line(capsys):
    check("Exercise 1", stub, [((1, 2), 3)])
    check("Exercise 1", lambda a, b: ..., [((1, 2), 3)])
    check_value("Exercise 1", ..., 3)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and len(set(lines)) == 1
    assert "not attempted yet" in lines[0]


def test_a_wrong_answer_says_which_case_and_gives_the_hint(capsys):
    check("E", lambda a: a, [((1,), 1), ((2,), 4)], hint="Square it.")
    assert "case 2: expected 4, got 2. Hint: Square it." in capsys.readouterr().out
    check("E", lambda a: a.missing, [((1,), 1)])
    assert "case 1 raised AttributeError" in capsys.readouterr().out
    check_value("E", 5, 12)
    assert "12" not in capsys.readouterr().out


def test_a_right_answer_is_told(capsys):
    check("E", lambda a: a * a, [((torch.tensor([2.0]),), torch.tensor([4.0]))])
    check_value("E", 12.0000000001, 12)
    assert capsys.readouterr().out == "E: correct (1 case).\nE: correct.\n"


@pytest.mark.parametrize(
    ("result", "expected", "equal"),
    [
        (torch.ones(2, requires_grad=True), np.ones(2), True),
        (np.ones((2, 1)), np.ones(2), False),
        ("left", "left", True),
        (1, True, False),
        (np.bool_(True), True, True),
        ({"a": 1.0}, {"a": 1.0 + 1e-9}, True),
        ({"a": 1.0}, {"b": 1.0}, False),
        ((1, ["x", 2.0]), (1, ["x", 2.0]), True),
        ((1, ["x", 2.0]), (1, ["x", 2.1]), False),
        (None, 1.0, False),
    ],
)
def test_results_of_any_usual_kind_are_compared(result, expected, equal):
    assert same(result, expected, 1e-6) is equal


class Scale(torch.nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def run_module(module_class, factor, x):
    return module_class(factor)(x)


def test_a_class_is_checked_through_run(capsys):
    cases = [((2.0, torch.ones(3)), torch.full((3,), 2.0))]
    check("E", Scale, cases, run=run_module)
    check_solution(Scale, cases, run=run_module)
    assert capsys.readouterr().out == "E: correct (1 case).\n"


def test_a_right_solution_is_silent_and_a_wrong_one_is_loud(capsys):
    check_solution(lambda a: a * a, [((3,), 9)])
    check_solution(0.5, 0.50001, tolerance=1e-3)
    assert capsys.readouterr().out == ""

    def square_solution(a):
        return a

    with pytest.raises(AssertionError, match="square_solution: case 2: expected 4, got 2"):
        check_solution(square_solution, [((1,), 1), ((2,), 4)])
    with pytest.raises(AssertionError, match="stub: it is not implemented"):
        check_solution(stub, [((1, 2), 3)])
    with pytest.raises(AssertionError, match="5 is not the answer"):
        check_solution(5, 12)


def test_an_experiment_runs_only_after_a_prediction(capsys):
    runs = []

    def measure():
        runs.append(1)
        return 0.25

    compare_prediction("E", ..., measure)
    assert not runs and "E: not attempted yet" in capsys.readouterr().out
    compare_prediction("E", 0.5, measure, digits=2)
    compare_prediction("E", "A", "B")
    assert runs == [1]
    assert capsys.readouterr().out == (
        "E: predicted 0.50, measured 0.25.\nE: predicted A, measured B.\n"
    )

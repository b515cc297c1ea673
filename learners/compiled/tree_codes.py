"""The numbers by which engine and kernels of trees name what they keep. Kernels freeze them.

A leaf has a slot: a row of numbers and a row of whole numbers. With F features the first has ALONE numbers, then for
each class its weight and KEPT rows of F numbers. The second has OF_LEAF whole numbers, the features in the order in
which they came, for each feature how many classes it has come with; then what came first, second and so on: a class,
and for each feature the class that it came with. A node is named by one number: its slot, if it is a leaf; `-1 -
place`, if it is a branch.
"""

from __future__ import annotations

TRIED_AT, MAJORITY, NAIVE, ALONE = range(4)
"""The weight at which a split was tried last; the weights that the two ways to answer got right."""

COUNT, MEAN, SQUARES, LOW, HIGH, TWICE, HALF, KEPT = range(8)
"""Of a feature with a class: its weight (0.0: they never came together), mean, sum of squares, least and greatest.
Derived: -2 times the variance, 0.0 where there is no density; half the logarithm of the variance."""

ACTIVE, DEPTH, CLASSES, FEATURES, CHANGED, OF_LEAF = range(6)
"""Does the leaf look for splits; its depth; how many classes and features came; was it changed since it was stored."""

MC, NB, NBA = range(3)
"""How leaves answer: by the majority, by naive Bayes, by the one that was right more often."""

GAIN, GINI, OTHER = range(3)
"""What splits are judged by."""

(
    ANSWERS,
    CRITERION,
    PREPRUNE,
    DEEPEST,
    COMPENSATED,
    QUICK,
    WIDTH,
    KNOWN,
    ROOT,
    TURN,
    GROWS,
    AWAKE,
    ASLEEP,
    EVENT,
    SLOT,
    CHOSEN,
) = range(16)
"""Whole numbers of a tree: what was chosen; room for classes, and how many are known; its root; the number of the call;
may it grow; how many leaves are active, how many not; where a kernel stopped, and at which leaf."""

GRACE, TAU, CONFIDENCE, SHARE, FRACTION, SPLITS, THRESHOLD, TWO, SEEN, GIVEN = range(10)
"""Numbers of a tree: parameters, of delta the logarithm of its inverse; an exponent (see `codes`); what it learned."""

NONE, STRANGE, UNASKED = -1, -2, -3
"""What is no class: there is none; river would raise; nobody asked."""

DONE, DUE, ODD = range(3)
"""Why a kernel stopped: no events are left; river must say whether a leaf is split; something is left to river."""

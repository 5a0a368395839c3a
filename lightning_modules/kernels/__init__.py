"""What makes the layers fast on a CPU; each falls back to torch's plain operation where it does not pay.

A layer has to know four things, and is right, but slow, without them:

* its matrices are ``Linear``, ``linear`` or ``joint_linear`` (:mod:`linear`), never ``nn.Linear`` or ``@``: by oneDNN
  where that is faster (:mod:`onednn`; 379 to 310 ms a training step on AMD), and packed in a search
  (:mod:`packed_weights`; 167 to 201 sentences a second), there also in :mod:`int8` or :mod:`bfloat16`;
* a loop over the target stands in ``with GatheredGradients()`` (:mod:`deferred_gradients`), and multiplies by
  ``matmul``: one gradient for each matrix after the last step (543 to 438 ms for the backward pass);
* ``Dropout`` in place of ``nn.Dropout`` (:mod:`dropout`): four values from one draw, a tenth of a step;
* ``most_probable`` in place of ``argmax`` (:mod:`argmax`): 1.1 to 0.14 ms for 128 rows of 8,000.

A graph that :mod:`experiments.export` writes can make no choices: within :mod:`graph_form` they fall back to the plain
operation too.

The others belong to one layer each: :mod:`projected_loss` (the vocabulary's logits never stored), :mod:`aligned_lstm`
(no packed sequences), :mod:`additive_score` (nothing kept but queries and keys). What each was measured to give, and
on which machine, is in docs/performance.md.
"""

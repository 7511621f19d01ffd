"""Signs in an outcome that the settings of the search cannot have been meant."""

from multimodal_pulse.search.outcome import Outcome

_BETTER = 0.99
"""A step is better than the first from this share of its error downwards: nobody sees 0.04 dB."""


def stuck(outcome: Outcome) -> list[str]:
    """Returns notices about samples that the search has not moved, or has not told apart; often there are none.

    They name no reference, so that references of which the same is true have the same notice.
    """
    notices = []
    trace, samples = outcome.fidelity_trace, outcome.samples
    if len(trace) > 1:
        # `keep=last` keeps the end of a chain, whether it is better or not.
        last = trace.new_tensor(outcome.passes or [len(trace)]) - 1
        kept_last = trace.new_tensor(outcome.best_step) == last
        if bool((~(trace[1:] < _BETTER * trace[0]).any(dim=0) & trace[0].isfinite() & ~kept_last).any()):
            notices.append(
                "no step was better than the first for some samples, which are their starts: another optimizer.lr or"
                " other weights of the objective may help; best_step in records.jsonl says which samples."
            )
    if len(samples) > 1 and bool((samples == samples[0]).all()):
        notices.append(
            "all samples of a reference are the same picture: they have the same start and no noise that differs."
            " latent_resampling=independent gives each a start of its own."
        )
    return notices

"""A search space of your own: what may vary, what the search bought, and which parameter mattered."""

from trimtab import load_data, save_model, tune
from trimtab.tuning import Choice, Integer, Real, Space

data = load_data("digits", limit=600)
space = Space(
    {
        "model.filters": Choice([(4, 8), (8, 16), (16, 32)]),  # wider
        "model.depth": Integer(1, 2),  # deeper
        "model.dropout": Real(0.0, 0.4, default=0.0),
        "learning_rate": Real(1e-3, 2e-2, log=True, default=1e-3),
    },
    {"model.dense": 16, "epochs": 3, "batch_size": 32},
)
result = tune(data, space, trials=6)

for trial in result.trials:
    shown = {name: trial.values[name] for name in space.dimensions}
    print(f"trial {trial.number}: {trial.state}, {trial.val_accuracy:.1%} {shown}")
print(f"defaults: {result.baseline.val_accuracy:.1%} of the validation images")
print(f"best: {result.winner.val_accuracy:.1%} of the validation images, trial {result.best}")
for name, share in result.importances.items():
    print(f"{name} explains {share:.0%} of the differences")
save_model(result.model, "best.keras")

"""Serve the model that train.py left: `uvicorn --app-dir examples/retail app:app`.

Then POST rows to /predict, and ask /drift whether they still look like training. The
files come from the folder RETAIL_FOLDER names, by default this one.
"""

import os
from pathlib import Path

import joblib
import pandas as pd
from fastapi import FastAPI

import servewatch as sw

FOLDER = Path(os.environ.get("RETAIL_FOLDER", Path(__file__).parent))

model = joblib.load(FOLDER / "model.joblib")
watch = sw.ServeWatch(model, baseline=FOLDER / "retail.baseline.json")

app = FastAPI()
watch.install(app)


@app.post("/predict")
def predict(rows: list[dict[str, float | None]]) -> list[float]:
    """Predict the units of each row; a feature that is null or not there is missing."""
    frame = pd.DataFrame(rows, columns=model.feature_names_in_, dtype=float)
    return watch.predict(frame).tolist()

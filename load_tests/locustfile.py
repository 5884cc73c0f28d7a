"""Users of the JSON app, for locust: `make bench-sockets` runs them for seconds.

By hand, against a server of your own on this machine:

    locust -f load_tests/locustfile.py --headless -u 8 -t 10s -H http://127.0.0.1:8000
"""

from locust import FastHttpUser, constant_throughput, task

from load_tests.asgi_load import some_bodies

BODIES = some_bodies(50)


class Client(FastHttpUser):
    """Asks for a prediction thirty times a second."""

    wait_time = constant_throughput(30)
    asked = 0

    @task
    def predict(self) -> None:
        """Send one row."""
        self.asked += 1
        body = BODIES[self.asked % len(BODIES)]
        headers = {"content-type": "application/json"}
        self.client.post("/predict", data=body, headers=headers)

"""boto3 clients of one instance, as the account's root."""

import os
import threading
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from local.servers import REGION, ROOT_KEY, ROOT_SECRET, Endpoints


class Connection:
    """Makes and keeps the clients of an instance.

    Args:
        endpoints: Where the instance's servers listen.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        # Knows nothing of the user's profiles, files and variables.
        core = botocore.session.Session(
            session_vars={
                "profile": (None, None, None, None),
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
            }
        )
        self._session: Any = boto3.Session(
            aws_access_key_id=ROOT_KEY,
            aws_secret_access_key=ROOT_SECRET,
            region_name=REGION,
            botocore_session=core,
        )

    def client(self, service: str) -> Any:
        """Return a client, made once per service, good in any thread.

        Args:
            service: boto3's name of the service, such as `s3` or `stepfunctions`.
        """
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(
                    service,
                    endpoint_url=self.endpoints.of(service),
                    config=Config(proxies={}, retries={"mode": "standard", "max_attempts": 3}),
                )
            return self._clients[service]

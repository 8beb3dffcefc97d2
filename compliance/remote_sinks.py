"""Sinks on other people's machines: a bucket whose objects nobody may delete, and a clock that is not ours.

Their libraries are imported where they are used: most processes never anchor.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from django.conf import settings

from compliance.anchors import Anchored, SinkProblem
from compliance.models import timestamp
from compliance.notes import digest

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse

KEEP = timedelta(days=7 * 366)
TIMEOUT_S = 10


class BucketSink:
    """`s3:bucket/prefix`: an object a time, under S3's Object Lock in compliance mode, which not even the account's
    owner can shorten. Credentials, region and endpoint as boto3 finds them (`AWS_…`)."""

    every = timedelta(minutes=1)

    def __init__(self, name: str) -> None:
        self.name = name
        self.bucket, _, self.prefix = name.removeprefix("s3:").partition("/")

    def publish(self, note_texts: Sequence[str], *, at: datetime) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        key = f"{self.prefix}/{timestamp(at)}-{digest(''.join(note_texts))[:16]}.json"
        try:
            answer = self._client().put_object(
                Bucket=self.bucket,
                Key=key,
                Body=json.dumps({"at": timestamp(at), "notes": list(note_texts)}).encode(),
                ChecksumAlgorithm="SHA256",
                ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=at + KEEP,
            )
        except (BotoCoreError, ClientError) as error:
            raise SinkProblem(f"the bucket did not take the object: {type(error).__name__}") from error
        return f"{key} {answer.get('VersionId', '')}".strip()

    def read(self) -> Iterator[Anchored]:
        """The first version of each object: an overwrite adds a version and hides nothing from us."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            client = self._client()
            pages = client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=f"{self.prefix}/")
            versions = [version for page in pages for version in page.get("Versions", ())]
            first: dict[str, str] = {}
            for version in sorted(versions, key=lambda version: version["LastModified"], reverse=True):
                first[version["Key"]] = version["VersionId"]
            for key in sorted(first):
                body = client.get_object(Bucket=self.bucket, Key=key, VersionId=first[key])["Body"].read()
                stored = json.loads(body)
                for note in stored["notes"]:
                    yield Anchored(note=note, at=stored["at"], ref=f"{key} {first[key]}")
        except (BotoCoreError, ClientError, ValueError, KeyError, TypeError) as error:
            raise SinkProblem(f"the bucket cannot be read: {type(error).__name__}") from error

    def _client(self) -> Any:
        import boto3

        return boto3.client("s3")


class ClockSink:
    """`rfc3161:https://…`: a time-stamping authority signs that the notes existed. Notes and tokens are files in
    `NEXTRADE_TSA_DIR`; the token's time, not ours, is when they were anchored. `NEXTRADE_TSA_ROOT`: its root, PEM."""

    every = timedelta(hours=1)

    def __init__(self, name: str) -> None:
        self.name = name
        self.url = name.removeprefix("rfc3161:")
        self.folder = Path(settings.TSA_DIR)

    def publish(self, note_texts: Sequence[str], *, at: datetime) -> str:
        from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

        data = json.dumps(list(note_texts)).encode()
        request = TimestampRequestBuilder(data=data).hash_algorithm(HashAlgorithm.SHA256).build()
        try:
            headers = {"Content-Type": "application/timestamp-query"}
            answer = httpx.post(self.url, content=request.as_bytes(), headers=headers, timeout=TIMEOUT_S)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise SinkProblem(f"the time-stamping authority did not answer: {type(error).__name__}") from error
        self._verified(answer.content, data)
        name = f"{timestamp(at)}-{digest(data.decode())[:16]}"
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{name}.json").write_bytes(data)
        (self.folder / f"{name}.tsr").write_bytes(answer.content)
        return name

    def read(self) -> Iterator[Anchored]:
        for file in sorted(self.folder.glob("*.json")):
            try:
                data = file.read_bytes()
                token = self._verified(file.with_suffix(".tsr").read_bytes(), data)
                for note in json.loads(data):
                    yield Anchored(note=note, at=timestamp(token.tst_info.gen_time), ref=file.stem)
            except OSError as error:
                raise SinkProblem(f"the timestamp {file.stem} cannot be read") from error

    def _verified(self, answer: bytes, data: bytes) -> "TimeStampResponse":
        from cryptography.x509 import load_pem_x509_certificates
        from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

        try:
            token = decode_timestamp_response(answer)
            builder = VerifierBuilder()
            for root in load_pem_x509_certificates(Path(settings.TSA_ROOT).read_bytes()):
                builder = builder.add_root_certificate(root)
            builder.build().verify_message(token, data)
        except (ValueError, OSError, VerificationError) as error:
            raise SinkProblem("the timestamp does not verify against NEXTRADE_TSA_ROOT") from error
        return token

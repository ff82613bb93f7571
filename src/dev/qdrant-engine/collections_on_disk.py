"""The collections below a data directory: each a folder with the engine's shard and the settings it was made with."""

import json
import os
import re
import shutil
import threading
from urllib.parse import quote, unquote

import qdrant_edge as engine

from refusals import Refused, bad_request, fields
from translate import condition_of, field_index, field_schema, points_of, query_of, scored, shard_config

SETTINGS = "settings.json"
SHARD = "shard"
CREATING = ".creating"
DROPPING = ".dropping"


class Collections:
    """One operation at a time."""

    def __init__(self, data_dir):
        self.root = os.path.join(data_dir, "collections")
        self.lock = threading.RLock()
        os.makedirs(self.root, exist_ok=True)
        for leftover in (CREATING, DROPPING):
            shutil.rmtree(os.path.join(self.root, leftover), ignore_errors=True)
        self.shards = {unquote(name): load(self.folder(unquote(name))) for name in os.listdir(self.root)}

    def folder(self, name):
        return os.path.join(self.root, quote(name, safe=""))

    def list(self):
        with self.lock:
            return {"collections": [{"name": name} for name in sorted(self.shards)]}

    def describe(self, name):
        with self.lock:
            info = self.shard(name).info()
            with open(os.path.join(self.folder(name), SETTINGS)) as file:
                settings = json.load(file)
        params = {key: settings[key] for key in ("vectors", "sparse_vectors") if key in settings}
        return {
            "status": "green",
            "optimizer_status": "ok",
            "indexed_vectors_count": info.indexed_vectors_count,
            "points_count": info.points_count,
            "segments_count": info.segments_count,
            "config": {"params": params, "hnsw_config": settings.get("hnsw_config", {})},
            "payload_schema": {key: field_schema(index) for key, index in info.payload_schema.items()},
        }

    def create(self, name, settings):
        """Renamed into place when it is whole, so that one whose creation was interrupted is not there."""
        if not re.fullmatch(r'[^<>:"/\\|?*\x00-\x1f]{1,255}', name):
            raise Refused(422, f"Validation error: {name!r} is no name for a collection")
        config = shard_config(settings)
        with self.lock:
            if name in self.shards:
                raise Refused(409, f"Wrong input: Collection `{name}` already exists!")
            new = os.path.join(self.root, CREATING)
            shutil.rmtree(new, ignore_errors=True)
            os.makedirs(os.path.join(new, SHARD))
            with open(os.path.join(new, SETTINGS), "w") as file:
                json.dump(settings, file)
            engine.EdgeShard.create(os.path.join(new, SHARD), config).close()
            os.rename(new, self.folder(name))
            self.shards[name] = load(self.folder(name))
        return True

    def drop(self, name, _body):
        with self.lock:
            shard = self.shards.pop(name, None)
            if shard is None:
                return False
            shard.close()
            gone = os.path.join(self.root, DROPPING)
            os.rename(self.folder(name), gone)
            shutil.rmtree(gone)
        return True

    def optimize(self, name, body):
        """As the server does when settings of its optimizers change, only that this one answers when it is done."""
        given = fields(body, ["optimizers_config"], "a collection's update")
        fields(given.get("optimizers_config", {}), [], "optimizers_config")
        with self.lock:
            self.shard(name).optimize()
        return True

    def index_field(self, name, body):
        field, schema = field_index(body)
        return self.update(name, engine.UpdateOperation.create_field_index(field, schema))

    def upsert(self, name, body):
        return self.update(name, engine.UpdateOperation.upsert_points(points_of(body)))

    def delete(self, name, body):
        given = fields(body, ["filter"], "a deletion")
        condition = condition_of(given.get("filter"))
        return self.update(name, engine.UpdateOperation.delete_points_by_filter(condition))

    def count(self, name, body):
        given = fields(body, ["filter", "exact"], "a count")
        condition = condition_of(given["filter"]) if "filter" in given else None
        request = engine.CountRequest(exact=True, filter=condition)
        with self.lock:
            return {"count": asked(self.shard(name).count, request)}

    def query(self, name, body):
        with self.lock:
            return {"points": [scored(point) for point in asked(self.shard(name).query, query_of(body))]}

    def update(self, name, operation):
        """Applied and in the log on disk when it returns, whether the client waits or not."""
        with self.lock:
            asked(self.shard(name).update, operation)
        return {"operation_id": 0, "status": "completed"}

    def shard(self, name):
        if name not in self.shards:
            raise Refused(404, f"Not found: Collection `{name}` doesn't exist!")
        return self.shards[name]

    def close(self):
        with self.lock:
            for shard in self.shards.values():
                shard.close()
            self.shards = {}


def load(folder):
    return engine.EdgeShard.load(os.path.join(folder, SHARD))


def asked(method, request):
    """What the engine refuses is the request's fault: dimensions, names of vectors."""
    try:
        return method(request)
    except Exception as error:
        raise bad_request(error) from error

"""Qdrant's REST as the engine's own objects, and back: that part of it which Turnkeeper's client speaks."""

import math

import qdrant_edge as engine

from refusals import bad_request, fields

MODIFIERS = {"idf": engine.Modifier.Idf, "none": getattr(engine.Modifier, "None")}
DISTANCES = {
    "Cosine": engine.Distance.Cosine,
    "Dot": engine.Distance.Dot,
    "Euclid": engine.Distance.Euclid,
    "Manhattan": engine.Distance.Manhattan,
}
# As Qdrant's server has it by default; thresholds in KB.
HNSW = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000}
RRF_K = 2


def shard_config(settings):
    known = ["vectors", "sparse_vectors", "hnsw_config"]
    given = fields(settings, known, "a collection")
    return engine.EdgeConfig(
        vectors={name: dense_params(params) for name, params in given.get("vectors", {}).items()},
        sparse_vectors={name: sparse_params(params) for name, params in given.get("sparse_vectors", {}).items()},
        hnsw_config=engine.HnswIndexConfig(
            **{**HNSW, **fields(given.get("hnsw_config", {}), [*HNSW, "payload_m"], "hnsw_config")}
        ),
    )


def dense_params(params):
    given = fields(params, ["size", "distance"], "a vector")
    size = given.get("size")
    if not isinstance(size, int) or not 1 <= size <= 65_536:
        raise bad_request(f"a vector's size cannot be {size}")
    return engine.EdgeVectorParams(size=size, distance=one_of(DISTANCES, given.get("distance"), "distance"))


def sparse_params(params):
    given = fields(params, ["modifier"], "a sparse vector")
    return engine.EdgeSparseVectorParams(modifier=one_of(MODIFIERS, given.get("modifier", "none"), "modifier"))


def one_of(choices, value, what):
    if value not in choices:
        raise bad_request(f"{what} is {value!r}, not one of {', '.join(choices)}")
    return choices[value]


def field_index(body):
    given = fields(body, ["field_name", "field_schema"], "a field's index")
    schema = given.get("field_schema")
    kinds = {
        "keyword": (engine.KeywordIndexParams, ["is_tenant", "enable_hnsw"]),
        "integer": (engine.IntegerIndexParams, ["lookup", "range", "enable_hnsw"]),
    }
    kind, known = one_of(kinds, schema.get("type") if isinstance(schema, dict) else schema, "field_schema")
    options = fields(schema, ["type", *known], "field_schema") if isinstance(schema, dict) else {}
    return given["field_name"], kind(**{key: value for key, value in options.items() if key != "type"})


def field_schema(index):
    kind = str(index.data_type).rsplit(".", 1)[-1].lower()
    known = ["is_tenant", "lookup", "range", "enable_hnsw"]
    params = {key: getattr(index.params, key, None) for key in known}
    given = {key: value for key, value in params.items() if value is not None}
    return {"data_type": kind, "params": {"type": kind, **given}, "points": index.points}


def points_of(body):
    points = fields(body, ["points"], "an upsert").get("points")
    if not isinstance(points, list):
        raise bad_request("points is no list")
    return [point_of(point) for point in points]


def point_of(point):
    given = fields(point, ["id", "vector", "payload"], "a point")
    vectors = {name: vector_of(vector) for name, vector in given.get("vector", {}).items()}
    try:
        return engine.Point(id=given.get("id"), vector=vectors, payload=given.get("payload", {}))
    except (TypeError, ValueError) as error:
        raise bad_request(f"point {given.get('id')!r} cannot be taken: {error}") from error


def vector_of(vector):
    """A dense vector as a list, a sparse one as an object of indices and values."""
    if isinstance(vector, dict):
        given = fields(vector, ["indices", "values"], "a sparse vector")
        indices, values = given.get("indices", []), numbers(given.get("values", []))
        if len(indices) != len(values) or len(set(indices)) != len(indices):
            raise bad_request("a sparse vector's indices must be unique, and as many as its values")
        try:
            return engine.SparseVector(indices=indices, values=values)
        except (TypeError, OverflowError) as error:
            raise bad_request(f"a sparse vector's indices are whole numbers of 32 bits: {error}") from error
    return numbers(vector)


def numbers(values):
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        raise bad_request("a vector is a list of numbers")
    if not all(math.isfinite(value) for value in values):
        raise bad_request("a vector's numbers are finite")
    return values


def condition_of(body):
    conditions = fields(body, ["must"], "a filter").get("must")
    if not isinstance(conditions, list) or not conditions:
        raise bad_request("a filter without conditions matches everything")
    return engine.Filter(must=[field_condition(condition) for condition in conditions])


def field_condition(condition):
    given = fields(condition, ["key", "match", "range"], "a condition")
    if ("match" in given) == ("range" in given):
        raise bad_request("a condition has either match or range")
    if "range" in given:
        bounds = fields(given["range"], ["gt", "gte", "lt", "lte"], "a range")
        return engine.FieldCondition(given["key"], range=engine.RangeFloat(**bounds))
    match = fields(given["match"], ["value", "any"], "a match")
    if ("value" in match) == ("any" in match):
        raise bad_request("a match has either value or any")
    value = engine.MatchValue(match["value"]) if "value" in match else engine.MatchAny(match["any"])
    return engine.FieldCondition(given["key"], match=value)


def query_of(body):
    known = ["query", "using", "prefetch", "filter", "params", "limit", "with_payload"]
    given = fields(body, known, "a query")
    prefetches = given.get("prefetch", [])
    return engine.QueryRequest(
        limit=given.get("limit", 10),
        prefetches=[prefetch_of(one) for one in (prefetches if isinstance(prefetches, list) else [prefetches])],
        with_payload=given.get("with_payload", False),
        **search_of(given),
    )


def prefetch_of(body):
    given = fields(body, ["query", "using", "filter", "params", "limit"], "a prefetch")
    return engine.Prefetch(limit=given.get("limit", 10), **search_of(given))


def search_of(given):
    params = fields(given.get("params", {}), ["hnsw_ef", "exact"], "params")
    return {
        "query": scoring_of(given.get("query"), given.get("using")),
        "filter": condition_of(given["filter"]) if "filter" in given else None,
        "params": engine.SearchParams(**params),
    }


def scoring_of(query, using):
    if isinstance(query, list) or (isinstance(query, dict) and "indices" in query):
        return engine.Query.Nearest(vector_of(query), using=using)
    given = fields(query, ["fusion", "rrf"], "query")
    if "fusion" in given:
        one_of({"rrf": None}, given["fusion"], "fusion")
    return engine.Fusion.Rrf(k=fields(given.get("rrf", {}), ["k"], "rrf").get("k", RRF_K))


def scored(point):
    number_or_uuid = point.id if isinstance(point.id, int) else str(point.id)
    return {"id": number_or_uuid, "version": point.version, "score": point.score, "payload": point.payload}

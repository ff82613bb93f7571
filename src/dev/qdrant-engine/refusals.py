"""Answers that say no."""


class Refused(Exception):
    """Answered with this HTTP status and Qdrant's form of an error."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def bad_request(message):
    return Refused(400, f"Wrong input: {message}")


def fields(body, known, where):
    """The object's fields, none of which may be unknown here; null counts as left out."""
    if not isinstance(body, dict):
        raise bad_request(f"{where} is no object")
    given = {key: value for key, value in body.items() if value is not None}
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise bad_request(f"this stand-in does not know {', '.join(unknown)} of {where}")
    return given

from typing import Any
def whole(known: Any) -> dict[str, Any]:
    raise NotImplementedError

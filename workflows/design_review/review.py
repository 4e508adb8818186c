"""What a review of a design concludes with."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, model_validator


class Finding(BaseModel):
    """Something that is wrong, or could go wrong."""

    severity: Literal["blocker", "major", "minor"]
    place: str = Field(max_length=200, description="The file or heading that it is about.")
    problem: str = Field(max_length=500)


class Review(BaseModel):
    """What the reviewer and the model agreed on."""

    verdict: Literal["accept", "revise"]
    summary: str = Field(min_length=1, max_length=1000)
    findings: list[Finding] = Field(default_factory=list, max_length=50)

    @model_validator(mode="after")
    def _agrees(self) -> Review:
        if self.verdict == "accept" and any(each.severity == "blocker" for each in self.findings):
            message = "a design with a blocker is not accepted"
            raise ValueError(message)
        return self

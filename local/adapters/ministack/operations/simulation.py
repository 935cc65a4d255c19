"""`SimulatePrincipalPolicy` answers for every resource that is asked about."""

from __future__ import annotations

from typing import Any


def simulate_every_resource(iam: Any) -> None:
    """Ministack looks at the first resource and calls every principal a user."""
    extract, build = iam._extract_simulate_params, iam._build_simulate_results_real

    def extract_simulate_params(params: Any) -> tuple[list[str], list[str]]:
        actions, _ = extract(params)
        resources: list[str] = []
        while found := iam._p(params, f"ResourceArns.member.{len(resources) + 1}"):
            resources.append(str(found))
        return actions, resources or ["*"]

    def build_results(actions: list[str], resources: list[str], *rest: Any) -> str:
        return "".join(build(actions, resource, *rest) for resource in resources)

    iam._extract_simulate_params, iam._build_simulate_results_real = extract_simulate_params, build_results

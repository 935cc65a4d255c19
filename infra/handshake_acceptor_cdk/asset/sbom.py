"""What the function's asset carries, as a CycloneDX document: build/package.cdx.json.

`python -m handshake_acceptor_cdk.asset.sbom` builds the asset, writes the document and prints its path.
"""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, distributions, version
from pathlib import Path
from typing import Final, cast
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from handshake_acceptor_cdk.asset.build import BuildFailed, build_asset, digest
from handshake_acceptor_cdk.names import NAME

_LICENSES: Final = LicenseFactory()


def document(asset: Path) -> str:
    """CycloneDX 1.6 as JSON: the function and every distribution in its asset, as their own METADATA says.

    The same asset gives the same bytes: the serial number follows from the asset, and no time is stated.
    """
    function = Component(
        name=NAME,
        version=version(NAME),
        type=ComponentType.APPLICATION,
        licenses=[_LICENSES.make_from_string("Apache-2.0")],
        bom_ref=NAME,
    )
    carried = [_component(each) for each in distributions(path=[str(asset)])]
    bom = Bom(components=carried, serial_number=uuid5(NAMESPACE_URL, digest(asset)))
    bom.metadata.component = function
    bom.metadata.timestamp = None  # type: ignore[assignment]  # the specification has it optional, the library does not
    bom.register_dependency(function, carried)
    return JsonV1Dot6(bom).output_as_string(indent=2)


def _component(distribution: Distribution) -> Component:
    stated = cast(dict[str, str], distribution.metadata.json)
    name = stated["name"]
    # License-Expression is the newer field of the two: https://peps.python.org/pep-0639/
    license_ = stated.get("license_expression") or stated.get("license")
    url = PackageURL("pypi", name=name.lower().replace("_", "-"), version=distribution.version)
    return Component(
        name=name,
        version=distribution.version,
        type=ComponentType.LIBRARY,
        licenses=[_LICENSES.make_from_string(license_)] if license_ else [],
        purl=url,
        bom_ref=str(url),
    )


def main() -> None:
    """Builds the asset and writes the document beside it."""
    asset = build_asset()
    written = asset.with_name("package.cdx.json")
    written.write_text(document(asset) + "\n", "utf-8")
    print(written)


if __name__ == "__main__":
    try:
        main()
    except BuildFailed as failed:
        sys.exit(f"handshake-acceptor: {failed}")

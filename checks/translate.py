"""Prints a SAM template as the CloudFormation that SAM makes of it, with each state machine's definition inlined.

`.tools/sam/bin/python checks/translate.py template.yaml`: SAM's translator is in that environment.
cfn-lint and checkov do not look into what SAM expands: roles, rules, permissions and definitions.
"""

import json
import sys
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse  # type: ignore[import-not-found]
from samtranslator.parser.parser import Parser  # type: ignore[import-not-found]
from samtranslator.translator.translator import Translator  # type: ignore[import-not-found]

#: Stands for what a build and an upload would put there.
_CODE = "s3://bucket/key"
_IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/repository:tag"


def translate(path: Path) -> Any:
    """Return the translated form of a template."""
    template = yaml_parse(path.read_text())
    definitions: dict[str, str] = {}
    for logical_id, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            properties["ContentUri"] = _CODE
        elif resource["Type"] == "AWS::Serverless::Function":
            image = properties.get("PackageType") == "Image"
            properties["ImageUri" if image else "CodeUri"] = _IMAGE if image else _CODE
        elif resource["Type"] == "AWS::Serverless::StateMachine":
            definitions[logical_id] = (path.parent / properties["DefinitionUri"]).read_text()
            properties["DefinitionUri"] = _CODE
    translated = Translator(managed_policy_map={}, sam_parser=Parser()).translate(template, parameter_values={})
    for logical_id, definition in definitions.items():
        # One plain string: of the pieces that SAM would join, cfn-lint reads nothing.
        properties = translated["Resources"][logical_id]["Properties"]
        del properties["DefinitionS3Location"]
        properties["DefinitionString"] = json.dumps(json.loads(definition))
    return translated


if __name__ == "__main__":
    print(json.dumps(translate(Path(sys.argv[1])), indent=2, default=str))

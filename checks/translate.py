"""Prints a SAM template as the CloudFormation that SAM makes of it, with each definition inlined, for cfn-lint.

`.tools/sam/bin/python local/translate.py template.yaml`: SAM's translator is in that environment.
cfn-lint alone does not look into what SAM expands: roles, rules and permissions.
"""

import json
import re
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
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            properties["ContentUri"] = _CODE
        elif resource["Type"] == "AWS::Serverless::Function":
            image = properties.get("PackageType") == "Image"
            properties["ImageUri" if image else "CodeUri"] = _IMAGE if image else _CODE
        elif resource["Type"] == "AWS::Serverless::StateMachine":
            properties["Definition"] = _definition(path.parent / properties.pop("DefinitionUri"))
    translator = Translator(managed_policy_map={}, sam_parser=Parser())
    return translator.translate(template, parameter_values={})


def _definition(path: Path) -> Any:
    return json.loads(
        re.sub(r"\$\{\w+Arn\}", "arn:aws:lambda:us-east-1:000000000000:function:f", path.read_text())
    )


if __name__ == "__main__":
    print(json.dumps(translate(Path(sys.argv[1])), indent=2, default=str))

"""AWS behind the ports: the only modules that know boto3."""

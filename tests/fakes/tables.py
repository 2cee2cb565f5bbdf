"""Tables as the template has them, on whatever answers for DynamoDB."""

from typing import Any


def create_billing_table(dynamodb: Any, name: str) -> None:
    """Create the table of what is billed, with its index ``by-billing``."""
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": one, "AttributeType": "S"} for one in ("pk", "book", "expires_at")
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-billing",
                "KeySchema": [
                    {"AttributeName": "book", "KeyType": "HASH"},
                    {"AttributeName": "expires_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )

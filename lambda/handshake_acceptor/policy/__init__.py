"""What the owner allows: `decide` is the pure decision, `documents` reads texts, `store` reads Parameter Store."""

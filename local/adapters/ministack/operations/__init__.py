"""Operations that ministack lacks, or in which it is kinder than AWS: what `handshakectl verify` asks with."""

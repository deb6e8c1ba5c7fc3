"""What the published RPC methods do (floor 5); `rpcinterface` only publishes it."""

"""Implementation of the RPC methods (floor 5); `rpcinterface` publishes them."""

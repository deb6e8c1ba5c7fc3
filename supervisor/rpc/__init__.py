"""Implementation of the RPC methods; `rpcinterface` publishes them."""

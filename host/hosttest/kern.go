package hosttest

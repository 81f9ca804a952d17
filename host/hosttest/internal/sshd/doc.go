// Package sshd is the SSH server of a fake machine: logins by key, certificate and password, sessions, port and socket
// forwarding. It counts what passes ([Counters]) and breaks where it is told to ([Faults]).
package sshd

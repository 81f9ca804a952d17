// Package stack holds the stacks of the lab: PostgreSQL, Gitea, its act runner, Pi-hole, and a
// backup volume on NFS. Each is a plain struct whose method Stack is a pure function to a
// [compose.Stack]; what is particular to the service, guards of its data and what is set up in it,
// comes along.
//
//	pg, err := stack.Postgres{Image: "postgres:17.2", Lock: lock, Password: password, Listen: "192.168.1.202:5432"}.Stack()
//	plan, err := machine.Plan(ctx, host.State{pg})
//
// # What it never does
//
// It never starts a server on data of another version, on an empty directory in the place of data
// that was there, or on a directory whose disk is not mounted; never makes a secret that must stay
// (see [lab.Keyring]); never puts a secret into an environment or an argument.
//
// # Errors
//
// A configuration that is wrong is a [lab.Problems]; Validate returns it without making the stack.
// A guard's no is an [lab.ErrRefused], with the steps to take.
package stack

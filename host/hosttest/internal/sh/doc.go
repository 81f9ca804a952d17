// Package sh is the shell of a fake machine: dash 0.5.12, with the messages of the real one.
//
// The language is parsed by mvdan.cc/sh and evaluated here, over the processes of package kernel: each command is a
// process, pipelines and substitutions fork. Words are expanded by expand.go, builtins are in builtin.go, and what is a
// program as well as a builtin (test, printf, echo, kill) is one function for both.
package sh

// Package machine measures how fast machines converge: three real Debian machines, compared with a
// plain ssh that runs the same reads once and, on request, with ansible-core and the same state;
// and a thousand machines in this process.
//
//	go test ./bench/machine -bench . -benchtime 10x
//	go test ./bench/machine -run Ansible -ansible -v     # a minute or more
package machine

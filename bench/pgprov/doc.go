// Package pgprov measures how fast PostgreSQL is provisioned: plans of converged servers with 100
// and 1000 apps beside their floor, which is to connect to each database, by TCP and SCRAM, and send
// one query, 8 at a time; first provisioning beside its floor, which is to create the same databases
// and owner roles and nothing else, by each strategy of CREATE DATABASE; and, when asked, Terraform or OpenTofu with the
// PostgreSQL provider on the same server.
//
//	go test ./bench/pgprov -bench . -benchtime 20x
//	GOBIN=$PWD/provider go install github.com/cyrilgdn/terraform-provider-postgresql@latest
//	go test ./bench/pgprov -run Terraform -v -terraform $PWD/provider     # a minute or more
//
// A first provisioning is compared by the server's processor time too, which other work on the machine
// hardly changes.
//
// Connections and round trips are counted, and the test fails when they are more than one a
// database and one more.
package pgprov

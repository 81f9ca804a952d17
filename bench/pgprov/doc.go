// Package pgprov measures how fast PostgreSQL is provisioned: plans of converged servers with 100
// and 1000 apps beside their floor, which is to connect to each database, by TCP and SCRAM, and send
// one query, 8 at a time; first provisioning; and, when asked, Terraform or OpenTofu with the
// PostgreSQL provider on the same server.
//
//	go test ./bench/pgprov -bench . -benchtime 20x
//	GOBIN=$PWD/provider go install github.com/cyrilgdn/terraform-provider-postgresql@latest
//	go test ./bench/pgprov -run Terraform -v -terraform $PWD/provider     # a minute or more
//
// Connections and round trips are counted, and the test fails when they are more than one a
// database and one more.
package pgprov

package stack_test

import (
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose/stack"
)

// What is wrong with a configuration comes all at once.
func ExamplePostgres() {
	_, err := stack.Postgres{
		Image:    "postgres:17.2",
		Listen:   "0.0.0.0:5432",
		Password: lab.NewSecret("hidden"),
		HBA:      []stack.HBARule{{Type: "hostssl", Database: "all", User: "all", Address: "all", Method: "trust"}},
	}.Stack()
	fmt.Println(err)
	// Output:
	// listen: is not the address of one interface with a port: 0.0.0.0:5432 (write IP:PORT; Docker publishes past the machine's firewall)
	// hba[0].method: lets in who does not prove who they are, or shows the password: trust (write scram-sha-256)
	// hba[0].type: the server has no certificate, so that nobody could connect by it (set tls, or write host)
}

func ExampleHBARule() {
	fmt.Println(stack.HBARule{Type: "hostssl", Database: "erp", User: "+erp_role", Address: "192.168.1.201/32",
		Method: "scram-sha-256"})
	// Output:
	// hostssl   erp             +erp_role            192.168.1.201/32     scram-sha-256
}

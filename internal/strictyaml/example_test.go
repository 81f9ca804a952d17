package strictyaml_test

import (
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

func Example() {
	type machine struct {
		Name    string `yaml:",key"`
		Address string `yaml:"address,required"`
		Port    int    `yaml:"port"`
	}
	var config struct {
		Machines []machine `yaml:"machines"`
	}
	data := []byte(`machines:
  pi1:
    adress: 192.168.1.201
  pi2:
    address: 192.168.1.999
    port: ssh
`)
	d, err := strictyaml.Parse("lab.yaml", data)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Decode(&config))

	// Problems that the program itself finds have a path, and get a position.
	fmt.Println(d.Locate(lab.Problems{{Path: "machines.pi2.address", Message: "no such address"}}))
	// Output:
	// lab.yaml:2:3: machines.pi1: a required key is missing: address
	// lab.yaml:3:5: machines.pi1: unknown key: adress (nearest: address)
	// lab.yaml:6:11: machines.pi2.port: expected a whole number, got text: ssh
	// lab.yaml:5:14: machines.pi2.address: no such address: 192.168.1.999
}

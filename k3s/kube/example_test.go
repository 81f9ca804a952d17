package kube_test

import (
	"context"
	"fmt"
	"log"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/k3stest"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

func Example() {
	front := k3stest.Serve(k3stest.NewServer()) // a program has the kubeconfig of a cluster
	defer front.Close()
	ctx := context.Background()

	objects, err := kube.ParseObjects([]byte(`
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop}, data: {log: info}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
`))
	if err != nil {
		log.Fatal(err)
	}
	cluster := &kube.Cluster{Kubeconfig: front.Kubeconfig}
	spec := kube.Spec{Owner: "shop", Objects: objects}
	p, err := cluster.Plan(ctx, spec)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range p.Changes() {
		fmt.Println(c.Action, c.ID)
	}
	if _, err := p.Apply(ctx, nil); err != nil {
		log.Fatal(err)
	}
	p, err = cluster.Plan(ctx, spec)
	fmt.Println(p.Summary(), err)
	// Output:
	// create shop/namespace:shop
	// create shop/configmap:shop/settings
	// nothing to do <nil>
}

// A secret may stand wherever a string may. It is sent as it is, and never shown.
func ExampleNewObject() {
	o, err := kube.NewObject(map[string]any{"apiVersion": "v1", "kind": "Secret",
		"metadata":   map[string]any{"name": "login", "namespace": "shop"},
		"stringData": map[string]any{"password": lab.NewSecret("correct-horse-battery")}})
	fmt.Println(o, err)
	fmt.Print(o.YAML())
	// Output:
	// secret:shop/login <nil>
	// apiVersion: v1
	// data:
	//   password: (secret)
	// kind: Secret
	// metadata:
	//   name: login
	//   namespace: shop
}

// Where a field is owned by somebody else, the plan says by whom.
func ExampleCluster_Plan_conflict() {
	front := k3stest.Serve(k3stest.NewServer())
	defer front.Close()
	ctx := context.Background()
	cluster := front.Cluster()
	apply := func(owner, value string) error {
		objects, err := kube.ParseObjects([]byte(
			`{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: default}, data: {log: ` + value + `}}`))
		if err != nil {
			return err
		}
		p, err := cluster.Plan(ctx, kube.Spec{Owner: owner, Objects: objects})
		if err != nil {
			return err
		}
		_, err = p.Apply(ctx, nil)
		return err
	}
	fmt.Println(apply("shop", "info"))
	fmt.Println(apply("other", "debug"))
	// Output:
	// <nil>
	// test: apply object configmap:default/settings: conflict: lab-shop owns data.log, metadata.labels.lab.arcodange.lab/owner
}

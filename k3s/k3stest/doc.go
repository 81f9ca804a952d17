// Package k3stest is the Kubernetes API of a new k3s cluster in this process, for tests of package kube and of what
// stands on it:
//
//	front := k3stest.Start(t, k3stest.NewServer())
//	plan, err := front.Cluster().Plan(ctx, spec)
//
// Server-side apply, conflicts and managed fields are those of apimachinery, with the schemas of client-go for
// Kubernetes' own kinds, and with those of their CustomResourceDefinitions for others. It knows lists by label,
// metadata alone, dry runs, preconditions, finalizers, and fields that cannot be changed. An unknown request is
// answered with status 501, never with success.
//
// It is an API without controllers and admission: nothing runs, and no status changes. [WithHelm] lets HelmCharts
// have a release. It fills in no defaults but the protocol of ports, has no watch, and converts nothing between
// versions. [Suite] holds it, and package kube, against the real server.
//
// [Front] serves it by TLS, counts requests, and lets them fail: before or after they are done.
package k3stest

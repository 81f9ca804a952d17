// Package standin behaves as the program k3s does towards who installs it: it parses the real config.yaml, command line
// and environment, refuses options that k3s does not have, writes the token files and k3s.yaml, tells systemd that it is
// ready, lets nodes join that know the token and the CA, and serves the little of the API that an installer asks. There
// is no Kubernetes in it: no pod ever runs.
//
// The same code runs as a program of the machines of hosttest, and as the static program k3s/ on real machines. Where such
// a machine has etcd, kube-apiserver and kubectl in /usr/local/lib/k3s-standin, a single server runs them, and the API, with
// all objects, is theirs; what the kubelet would say of its node is said by the stand-in.
package standin

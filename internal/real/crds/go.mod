// The CustomResourceDefinitions that manifests are held against, in the modules that ship them. They are
// data: nothing of these modules is built.
module gitea.arcodange.lab/arcodange-org/lab/internal/real/crds

go 1.26

require (
	github.com/argoproj/argo-cd/v3 v3.2.1
	github.com/cert-manager/cert-manager v1.19.1
	github.com/k3s-io/helm-controller v0.17.9
	github.com/smallstep/step-issuer v0.12.0
	github.com/traefik/traefik/v3 v3.6.7
)

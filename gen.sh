D=src/meshkit_chaos/demo
for p in github azure; do
.venv/bin/meshkit-chaos pipelines init $p --force --file $D/chaos-scenarios.yaml --tests $D/chaos-scenarios.test.yaml --env $D/etcd-lab.yaml --tag smoke --shards 2 --simulated src/meshkit_chaos/starter/simulated-mesh.yaml --no-native --install "python -m pip install --disable-pip-version-check --require-hashes --requirement requirements/lab.txt" --install "python -m pip install --disable-pip-version-check --no-deps --editable ." 2>/dev/null
done

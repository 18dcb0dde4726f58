# What is too long for every day. What a change must pass is .ci/run.

# Every fault as often as docs/safety.md says. Training's take 20 to 45 minutes of one core; then come tracking's, among
# them stores that are locked for a minute each, 8 minutes and more.
faults: export OMP_NUM_THREADS = 1
faults:
	DLRUN_FAULTS=2000 pytest -s tests/training tests/runs
	DLRUN_FAULTS=200 pytest -s tests/tracking

# What needs a GPU: its tests, then the four works of benchmarks/peers on it beside a plain loop. Installs nothing.
gpu:
	python -m pytest -q tests/training/speed/test_gpu.py
	python benchmarks/peers --here --device cuda --without-tracking --parts speed --rounds 2 --peers plain,tuned

.PHONY: faults gpu

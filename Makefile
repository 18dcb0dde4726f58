# Checks that take too long for every change; .ci/run is what every change must pass.

# Every fault of docs/safety.md, as often as that page says. The faults of training take 20 to 45 minutes of one core.
# Then those of tracking take 8 minutes and more, because some of them lock a store for a minute each.
faults: export OMP_NUM_THREADS = 1
faults:
	DLRUN_FAULTS=2000 pytest -s tests/training tests/runs tests/specs/test_resumed_specs.py \
	  tests/components/test_mutated_arrays.py
	DLRUN_FAULTS=200 pytest -s tests/tracking

# 5,000 spoiled csv files, and 1,000 of each other form of table: each is read, or is one error that names it.
tables: export OMP_NUM_THREADS = 1
tables:
	DLRUN_TABLES=5000 pytest -s tests/components/test_spoiled_tables.py

# Everything that needs a GPU: its tests, those of kinds that train, there, then the four works of benchmarks/peers, compared with the plain and the tuned
# loop. It installs nothing.
gpu:
	python -m pytest -q -n 8 tests/training/speed/test_gpu.py
	DLRUN_TEST_DEVICE=cuda python -m pytest -q -n 8 tests/every_kind/test_every_layer_in_a_run.py \
	  tests/every_kind/test_every_average.py tests/every_kind/test_every_changing_number.py \
	  tests/every_kind/test_every_constraint.py tests/specs/test_resumed_specs.py tests/training/test_schedules.py \
	  tests/training/test_accumulate.py tests/training/test_unfreezing.py
	python benchmarks/peers --here --device cuda --without-tracking --parts speed --rounds 2 --peers plain,tuned

.PHONY: faults tables gpu

"""MLflow records: experiment = study, parent run = launch, child run = trial.

Only the driver writes to MLflow. The store is a copy for viewing; the trials' folders hold the
results. A tracking server that fails during a launch therefore causes a warning and loses no trial,
and `bring_up_to_date` writes what is missing later.
"""

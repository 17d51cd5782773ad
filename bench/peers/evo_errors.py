"""
Errors of an estimated trajectory against the true one by evo, for npm run bench:odometry.

    evo_errors.py TRUTH.tum ESTIMATE.tum > errors.json
"""

import copy
import json
import sys

from evo.core import metrics, sync
from evo.tools import file_interface


def rmse(metric, truth, estimate):
    metric.process_data((truth, estimate))
    return float(metric.get_statistic(metrics.StatisticsType.rmse))


def relative(relation, truth, estimate):
    return rmse(metrics.RPE(relation, delta=1, delta_unit=metrics.Unit.frames), truth, estimate)


def main():
    truth, estimate = (file_interface.read_tum_trajectory_file(path) for path in sys.argv[1:3])
    truth, estimate = sync.associate_trajectories(truth, estimate)
    placed, scaled = copy.deepcopy(estimate), copy.deepcopy(estimate)
    placed.align(truth)
    scaled.align(truth, correct_scale=True)
    position = metrics.PoseRelation.translation_part
    json.dump(
        {
            'poses': truth.num_poses,
            'path_m': float(truth.path_length),
            'ate_m': rmse(metrics.APE(position), truth, placed),
            'ate_scaled_m': rmse(metrics.APE(position), truth, scaled),
            'rpe_scaled_m': relative(position, truth, scaled),
            'rpe_deg': relative(metrics.PoseRelation.rotation_angle_deg, truth, estimate),
        },
        sys.stdout,
    )


main()

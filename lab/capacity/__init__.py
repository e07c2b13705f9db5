"""Capacity: a sweep that measures it on the running lab, models of it, and plans made with both.

sweep, step, schedule, bursts, journal     run the sweep
configurations                             what the sweep changes
counters, usage, calibration               what it reads
analysis, figures                          what it says
policy, plan                               what is planned for, and what that needs
models                                     pure functions of numbers
"""

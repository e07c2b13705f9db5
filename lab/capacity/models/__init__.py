"""Models of what the system can serve, how it scales, and how it queues, caches and sheds load.

The models are pure functions of numbers; their modules import only `lab.errors` and each other:

    usl             throughput against concurrency: contention, crosstalk and the peak (Universal Scalability Law)
    pass_curve      the load at which a step of a sweep passes half the time, and 95 % of the time
    queueing        Little's law, M/M/c queues, sizes of pools
    hit_ratio       the hit ratio of a cache with a time to live, and the load that is left for the database
    burst           token buckets and backlogs under a burst
    forecast        weeks until growing traffic reaches a capacity
    estimate        a figure with its interval
    least_squares   linear fits; fieller and student hold the arithmetic of their intervals
"""

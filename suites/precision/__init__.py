"""Does mixed precision learn what FP32 learns, and FP32 what the paper says?"""
